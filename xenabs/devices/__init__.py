"""What the guest sees: the virtual input devices, as descriptors and python-evdev's UInput."""
