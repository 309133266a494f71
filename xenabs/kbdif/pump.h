/* SPDX-License-Identifier: MIT
 *
 * The pump: entries of one xenkbd ring in, struct input_event out.
 *
 * It is given a mapped page, two descriptors to write to and a few numbers, and knows neither a Xen
 * library nor uinput. cffi reads this header too (lines that begin with '#' are left out for it), so
 * it holds plain declarations only.
 */
#ifndef XENABS_PUMP_H
#define XENABS_PUMP_H
#include <stdint.h>

enum {
    /* The page, as Xen's public header xen/io/kbdif.h lays it out: four u32 indices
     * (in_cons, in_prod, out_cons, out_prod), the ring "in" at 1024, 2048 bytes of 40-byte slots. */
    KBDIF_PAGE_SIZE = 4096,
    KBDIF_IN_CONS = 0,
    KBDIF_IN_PROD = 4,
    KBDIF_RING_OFFSET = 1024,
    KBDIF_ENTRY_SIZE = 40,
    KBDIF_RING_LENGTH = 51,

    /* Entry types, byte 0 of a slot (kbdif.h, XENKBD_TYPE_*). */
    KBDIF_TYPE_MOTION = 1, /* i32 rel_x, rel_y, rel_z at 4, 8, 12 */
    KBDIF_TYPE_KEY = 3,    /* u8 pressed at 1, u32 keycode at 4 */
    KBDIF_TYPE_POS = 4,    /* i32 abs_x, abs_y, rel_z at 4, 8, 12 */

    /* Both axes of the tablet run from 0 to this, for ever. */
    AXIS_MAX = 65533,

    /* KEY_CNT of linux/input-event-codes.h is 0x300; one bit for each code. */
    KEY_BITMAP_BYTES = 96,

    /* What one write(2) may carry: evdev gives a reader room for 128 events, and a packet that does
     * not fit costs the reader all of them (SYN_DROPPED). Measured: 126 go through, more do not. */
    BATCH_EVENTS = 126,

    /* Raw coordinates run from 0 to this (QEMU's INPUT_EVENT_ABS_MAX). */
    RAW_MAX = 0x7fff,

    /* How many sizes a backend may be thought to scale raw coordinates by. */
    PUMP_SCALES_MAX = 12,

    /* pump_wait's answer, beside one bit for each control descriptor that is ready. */
    PUMP_CONTROL_MAX = 8,
    PUMP_TICK = 256,
    PUMP_LOOK = 512, /* look at the screen and call pump_set_screen: the next entry waits for it */

    /* struct pump's member look. */
    LOOK_NONE = 0,
    LOOK_ASKED = 1,
    LOOK_DONE = 2 /* and not used yet */
};

/* What happened since pump_init. */
struct pump_counters {
    uint64_t wakeups;   /* the event channel fired */
    uint64_t entries;   /* taken from the ring */
    uint64_t positions; /* of these POS, */
    uint64_t motions;   /* MOTION, */
    uint64_t keys;      /* KEY, */
    uint64_t ignored;   /* and of a type, or in a situation, that means nothing to us */
    uint64_t refused;   /* keys and buttons that no device of ours declares */
    uint64_t clamped;   /* positions and wheel steps outside their range */
    uint64_t unfitting; /* raw positions that no size in `scale` can give */
    uint64_t looks;     /* the owner was asked to look at the screen */
    uint64_t merged;    /* motions that led nowhere new or that a later one replaced */
    uint64_t alone;     /* button frames without a position: none came in time */
    uint64_t overruns;  /* a producer index that cannot be: the ring was skipped */
    uint64_t frames;    /* written, */
    uint64_t events;    /* with so many events, SYN_REPORTs included, */
    uint64_t writes;    /* in so many calls of write(2) */
};

/* A size in pixels that a backend may scale raw coordinates by: v = floor(p * RAW_MAX / size). */
struct pump_scale {
    uint32_t width;
    uint32_t height;
};

/* A button that waits for the position it was pressed at. */
struct pump_button {
    uint16_t code;
    uint8_t pressed;
};

struct pump {
    /* Set by the owner. */
    uint8_t *page;         /* KBDIF_PAGE_SIZE bytes, shared with the backend */
    int tablet_fd;         /* takes struct input_event */
    int keyboard_fd;       /* takes struct input_event */
    int channel_fd;        /* read: ports that fired, u32 each; write: ports to unmask */
    uint32_t channel_port; /* to tell the backend of room in the ring; 0: do not tell */
    uint8_t raw;           /* positions are raw (0..32767 for the screen), else pixels */
    /* Ask for a look at the screen before the first position after so long without one, and for a
     * position that fits no scale, but for those at most once in so long; 0: never. */
    uint64_t rest_ns;
    uint64_t look_ns;
    uint64_t grace_ns; /* how long a button at a batch's end waits for its position, at most */
    uint64_t tick_ns;  /* after work, return PUMP_TICK once this much later; 0: never */
    uint8_t tablet_keys[KEY_BITMAP_BYTES];
    uint8_t keyboard_keys[KEY_BITMAP_BYTES];

    /* Set by pump_set_screen. */
    uint32_t width; /* of the screen in pixels; 0: not known */
    uint32_t height;
    struct pump_scale scale[PUMP_SCALES_MAX + 1]; /* the one more is the last screen's */
    uint32_t scale_count;                         /* 0: raw coordinates need no size */

    /* Kept by the pump, to be read by the owner. */
    struct pump_counters counters;
    uint32_t scale_used; /* the index of the scale by which positions are read, */
    uint8_t scale_known; /* and whether one of them has shown that it is no other */
    uint32_t cons;                  /* our index; the one in the page is only told, never believed */
    int32_t x, y;                   /* axis values written last; -1: none yet */
    uint8_t down[KEY_BITMAP_BYTES]; /* keys and buttons that we hold down */
    int failed_fd;                  /* the descriptor behind a negative answer */

    /* The pump's own. */
    struct pump_button pending[8];
    uint32_t pending_count;
    uint32_t pending_from; /* index of the first of them */
    uint32_t next;         /* index of the entry that is translated just now, else cons */
    uint32_t told;         /* what in_cons said when the backend was last notified */
    uint8_t position_first; /* the backend's last button had no position after it */
    uint32_t quiet_wakeups; /* in a row that brought nothing */
    uint8_t look;           /* LOOK_* */
    uint64_t rest_ends;     /* a position that comes later comes after a rest */
    uint64_t look_ends;     /* until then no look for a position that does not fit */
    uint64_t grace_ends;    /* CLOCK_MONOTONIC in ns; 0: not running */
    uint64_t tick_ends;
    uint64_t pause_ends;
};

/* Raw coordinate (0..RAW_MAX for the whole screen, QEMU's floor(p * RAW_MAX / size)) to axis value. */
int32_t axis_from_raw(int32_t raw);

/* Raw coordinate floor(p * RAW_MAX / scale) to the axis value of pixel p of a screen of `size` pixels.
 * Neither may be 0. */
int32_t axis_from_scaled(int32_t raw, uint32_t scale, uint32_t size);

/* Return 1 if `scale` pixels can give this raw coordinate; one outside 0..RAW_MAX, any can. */
int raw_fits(int32_t raw, uint32_t scale);

/* Pixel of a screen of `size` pixels to the axis value of its centre. size must not be 0. */
int32_t axis_from_pixel(int32_t pixel, uint32_t size);

/* The pixel of a screen of `size` pixels that an axis value lies in. */
int32_t pixel_from_axis(int32_t axis, uint32_t size);

/* Forget everything but the members set by the owner; start reading the ring at index `cons`. */
void pump_init(struct pump *p, uint32_t cons);

/* Set the screen's size in pixels (0 x 0: not known) and the `count` sizes, likeliest first, that raw
 * coordinates may be scaled by (at most PUMP_SCALES_MAX; with none, the range 0..RAW_MAX is taken for
 * the whole screen). The scale that was in use stays possible: a backend may learn of a new mode
 * later than the owner. Answers PUMP_LOOK. */
void pump_set_screen(struct pump *p, uint32_t width, uint32_t height,
                     const struct pump_scale *scales, uint32_t count);

/* Translate what the ring holds now, up to an entry that waits for a look at the screen. Number of
 * entries taken (0..51), or -errno. */
int pump_drain(struct pump *p);

/* Translate as the event channel fires, until one of `count` control descriptors (at most
 * PUMP_CONTROL_MAX) is ready, a tick is due or an entry waits for a look at the screen: a bit for
 * each, PUMP_TICK, PUMP_LOOK. -errno on failure. */
int pump_wait(struct pump *p, const int *control, int count);

/* Let go of whatever is down. 0, or -errno. */
int pump_release(struct pump *p);

#endif
