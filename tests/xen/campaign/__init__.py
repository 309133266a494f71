"""The fault campaign: a random mixture of all that happens to a guest, with input all the time.

    python -m campaign        (make soak): as long as SOAK_MINUTES says, on the guest SOAK_GUEST

    run         a campaign: one step after the other, each looked at, until the time is over
    steps       what can happen; each step says itself what must have come of it
    sending     input of a VNC client, and what the guest must get of it
    looks       what must be true after each step, whatever it was
    figures     what is counted, as a table

A campaign is its seed: the steps, and what each does and when, depend on nothing else.
"""
