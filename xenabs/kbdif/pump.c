/* SPDX-License-Identifier: MIT
 *
 * See pump.h. The backend is not trusted: its producer index is checked, an entry is copied before
 * it is looked at, our consumer index is never read back from the page.
 *
 * A drain has two halves. The first translates entries into steps, each of which becomes a frame.
 * The second one writes them, and knows by then how many there are: a reader that stands still has
 * room for so many events of each device, so strokes are thinned and keys share frames only in
 * batches that would not fit.
 *
 * A ring that was full may have lost entries: QEMU drops the newest one, a release as well as a
 * motion. Then each key and button that is down after the last entry before the loss is in doubt.
 * The backend's next word about it ends the doubt: a release, or a press, which becomes a release
 * and a press, because the release between the two was lost. The repeats of a key that is really
 * held are such presses. Motion says nothing about buttons and confirms none. What is still in
 * doubt after DOUBT_NS is released.
 *
 * A process may be killed at any instruction. It publishes in_cons before it writes to a device, and
 * notes in the page afterwards up to which entry it has written. The next process compares the
 * entries in between with what the kernel has down: see resume().
 */
#define _GNU_SOURCE
#include "pump.h"

#include <errno.h>
#include <linux/input.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

typedef uint16_t domid_t; /* the kernel's header leaves it to Xen's */
#include <xen/evtchn.h>

enum {
    SLOT_WORDS = KBDIF_ENTRY_SIZE / 4,
    /* The largest value whose low bit is to spare. */
    AXIS_LAST = AXIS_MAX - 1,
    /* What a HID wheel can say in one report (a signed byte). */
    WHEEL_MAX = 127,
    /* One entry makes three steps at most: buttons that waited, a release, a press. */
    STEPS = 3 * KBDIF_RING_LENGTH,
    /* evdev gives a reader of a device without axes room for 64 events, one of which stays free
     * (input_estimate_events_per_packet in drivers/input/input.c, evdev_compute_buffer_size and
     * __pass_event in evdev.c). The input core ends a frame of such a device by itself after eight
     * values (max_vals), and Xorg's evdev driver queues 32 (EVDEV_MAXQUEUE). So a full ring of keys
     * is 51 + 8 events. Readers take the keys of a frame one by one, also a press and a release of
     * the same key; buttons are read as a state at the end of a frame. */
    KEYBOARD_EVENTS = 63,
    KEYS_IN_A_FRAME = 7,
    /* How long a key stays down in doubt. Readers begin to repeat a held key after 400 ms or more
     * (weston 400, GNOME 500, Xorg 660), so a key that is stuck is released before it shows. A
     * viewer that repeats a held key does so every 100 ms or sooner. */
    DOUBT_NS = 250000000,
    /* The grace for a backend that puts the position first: long enough to see it change its ways,
     * too short for a person to feel. */
    SHORT_GRACE_NS = 1000000,
    /* A backend that fires the channel without bringing anything is heard once a millisecond after
     * so many times in a row. A few are normal: an entry is often drained before its own event. */
    QUIET_WAKEUPS_MAX = 64,
    QUIET_PAUSE_NS = 1000000
};

/* ---- coordinates ---- */

int32_t axis_from_raw(int32_t raw)
{
    if (raw < -2)
        return 0;
    if (raw > (AXIS_LAST - 4) / 2)
        return AXIS_LAST;
    return 2 * raw + 4;
}

int32_t axis_from_pixel(int32_t pixel, uint32_t size)
{
    int64_t last = (int64_t)size - 1;
    int64_t p = pixel < 0 ? 0 : pixel > last ? last : pixel;

    return (int32_t)((2 * p + 1) * (AXIS_MAX + 1) / (2 * (int64_t)size));
}

int32_t pixel_from_axis(int32_t axis, uint32_t size)
{
    return (int32_t)((int64_t)axis * size / (AXIS_MAX + 1));
}

/* The p of raw = floor(p * RAW_MAX / scale), if there is one; raw is not negative. */
static int64_t pixel_from_raw(int32_t raw, uint32_t scale)
{
    int64_t product = (int64_t)raw * scale;

    return product / RAW_MAX + (product % RAW_MAX != 0);
}

int raw_fits(int32_t raw, uint32_t scale)
{
    return raw < 0 || raw > RAW_MAX || pixel_from_raw(raw, scale) * RAW_MAX / scale == raw;
}

int32_t axis_from_scaled(int32_t raw, uint32_t scale, uint32_t size)
{
    int64_t p;

    if (scale == size)
        return axis_from_raw(raw);
    p = raw < 0 ? 0 : pixel_from_raw(raw, scale);
    return axis_from_pixel(p > INT32_MAX ? INT32_MAX : (int32_t)p, size);
}

static bool both_fit(const struct pump_scale *s, int32_t x, int32_t y)
{
    return raw_fits(x, s->width) && raw_fits(y, s->height);
}

/* Go by the scale in use for as long as positions fit it, else by the first that they do fit. */
static bool find_scale(struct pump *p, int32_t x, int32_t y)
{
    bool fits = both_fit(&p->scale[p->scale_used], x, y);
    uint32_t others = 0;

    if (fits && p->scale_known)
        return true;
    for (uint32_t i = 0; i < p->scale_count; i++) {
        if (i == p->scale_used || !both_fit(&p->scale[i], x, y))
            continue;
        if (!fits)
            p->scale_used = i;
        else
            others++;
        fits = true;
    }
    if (fits)
        p->scale_known = !others;
    return fits;
}

void pump_set_screen(struct pump *p, uint32_t width, uint32_t height,
                     const struct pump_scale *scales, uint32_t count)
{
    bool same = width == p->width && height == p->height;
    struct pump_scale last = p->scale[p->scale_used];
    bool had_scale = p->scale_used < p->scale_count;
    uint32_t i;

    if (p->look == LOOK_ASKED)
        p->look = LOOK_DONE;
    if (!width || !height)
        count = 0;
    if (count > PUMP_SCALES_MAX)
        count = PUMP_SCALES_MAX;
    if (same && p->scale_count && count)
        return;
    p->width = width;
    p->height = height;
    for (i = 0; i < count; i++)
        p->scale[i] = scales[i];
    p->scale_used = 0;
    p->scale_known = count == 1;
    p->scale_count = count;
    if (!count || !had_scale)
        return;
    for (i = 0; i < count; i++)
        if (scales[i].width == last.width && scales[i].height == last.height)
            return;
    p->scale[p->scale_count++] = last;
    p->scale_known = false;
}

static bool same_place(int32_t a, int32_t b)
{
    return ((a ^ b) & ~1) == 0;
}

/* evdev drops a value equal to the last one; the low bit of an axis is kept free to tell them apart. */
static int32_t told_apart(int32_t value, int32_t last)
{
    return value == last ? value ^ 1 : value;
}

/* ---- bitmaps of key codes ---- */

static bool has(const uint8_t *bitmap, uint32_t code)
{
    return code < KEY_BITMAP_BYTES * 8 && (bitmap[code / 8] >> (code % 8) & 1);
}

static void put(uint8_t *bitmap, uint32_t code, bool on)
{
    if (on)
        bitmap[code / 8] |= (uint8_t)(1u << (code % 8));
    else
        bitmap[code / 8] &= (uint8_t) ~(1u << (code % 8));
}

/* ---- what the backend, and a next process, may go by ---- */

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t *word(struct pump *p, uint32_t offset)
{
    return (uint32_t *)(void *)(p->page + offset);
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* Whether the backend has, or had a moment ago, no room while in_cons was `cons`. */
static bool was_full(struct pump *p, uint32_t cons)
{
    uint32_t prod = __atomic_load_n(word(p, KBDIF_IN_PROD), __ATOMIC_SEQ_CST);

    return prod - cons >= KBDIF_RING_LENGTH;
}

/* The page keeps the doubt for a next process. */
static void begin_doubt(struct pump *p)
{
    p->doubt_ends = now_ns() + DOUBT_NS;
    __atomic_store_n(word(p, KBDIF_OURS_DOUBT), 1, __ATOMIC_RELEASE);
}

static void end_doubt(struct pump *p)
{
    memset(p->doubted, 0, sizeof p->doubted);
    p->doubt_ends = 0;
    __atomic_store_n(word(p, KBDIF_OURS_DOUBT), 0, __ATOMIC_RELEASE);
}

static void doubt_what_is_down(struct pump *p)
{
    memcpy(p->doubted, p->down, sizeof p->doubted);
    p->doubt_until = __atomic_load_n(word(p, KBDIF_IN_PROD), __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < KEY_BITMAP_BYTES; i++) {
        if (p->down[i]) {
            begin_doubt(p);
            return;
        }
    }
}

/* Give slots back up to `cons`; never more than the backend was told to have before. Only that store
 * makes room, so what was dropped was dropped before it, and the second look finds it. */
static void publish(struct pump *p, uint32_t cons)
{
    uint32_t before = p->published;
    bool full = was_full(p, before);

    if (is_before(cons, before))
        return;
    if (full && cons != before)
        doubt_what_is_down(p);
    __atomic_store_n(word(p, KBDIF_IN_CONS), cons, __ATOMIC_SEQ_CST);
    p->published = cons;
    if (cons == before)
        return;
    if (!full && was_full(p, before)) {
        full = true;
        doubt_what_is_down(p);
    }
    p->counters.full += full;
}

/* Tell a backend that may wait for room, as xen-kbdfront does. */
static void notify_backend(struct pump *p)
{
    struct ioctl_evtchn_notify notify = {.port = p->channel_port};

    if (p->channel_port)
        (void)ioctl(p->channel_fd, IOCTL_EVTCHN_NOTIFY, &notify);
}

/* The entries before this index are done with. Those of buttons that still wait for their position
 * are not: a process that follows a crash reads them again. */
static uint32_t consumed(const struct pump *p)
{
    return p->pending_count ? p->pending_from : p->next;
}

/* ---- steps, and their frames in as few writes as can be ---- */

enum step_kind { MOTION, BUTTONS, WHEEL, KEY };

struct step {
    uint32_t from; /* index of the first entry that it comes from */
    uint8_t kind;
    bool stroke; /* a motion with a button down */
    bool left_out;
    bool moves;
    int32_t x, y; /* where to, if it moves */
    int32_t value; /* steps of a wheel, or a key's value in evdev's terms */
    uint16_t code; /* a key's */
    uint8_t count; /* of buttons */
    struct pump_button button[PENDING_BUTTONS];
};

struct batch {
    struct step step[STEPS];
    int count;
    bool placed;  /* a step of this batch moves */
    int32_t x, y; /* axis values written last */
    struct input_event event[BATCH_EVENTS];
    int events;
};

static void batch_begin(struct pump *p, struct batch *b)
{
    b->count = b->events = 0;
    b->placed = false;
    b->x = p->x;
    b->y = p->y;
}

static struct step *add_step(struct batch *b, enum step_kind kind, uint32_t from)
{
    struct step *s = &b->step[b->count++];

    memset(s, 0, sizeof *s);
    s->kind = (uint8_t)kind;
    s->from = from;
    return s;
}

static int fd_of(const struct pump *p, const struct step *s)
{
    return s->kind == KEY ? p->keyboard_fd : p->tablet_fd;
}

static int events_of(const struct step *s)
{
    return (s->moves ? 2 : 0) + s->count + (s->kind == WHEEL || s->kind == KEY) + 1;
}

/* A point that nothing but the next point of the same stroke comes after. */
static bool is_spare(const struct batch *b, int i)
{
    return b->step[i].kind == MOTION && b->step[i].stroke && i + 1 < b->count &&
           b->step[i + 1].kind == MOTION;
}

/* Leave out as many points of strokes, evenly, as the reader of the tablet has no room for. */
static void thin(struct pump *p, struct batch *b)
{
    int wanted = 0, spare = 0, over, kept, seen = 0;

    for (int i = 0; i < b->count; i++) {
        wanted += b->step[i].kind == KEY ? 0 : events_of(&b->step[i]);
        spare += is_spare(b, i);
    }
    if (wanted <= BATCH_EVENTS)
        return;
    over = (wanted - BATCH_EVENTS + 2) / 3;
    kept = spare > over ? spare - over : 0;
    for (int i = 0; i < b->count; i++) {
        if (!is_spare(b, i))
            continue;
        b->step[i].left_out = seen * kept / spare == (seen + 1) * kept / spare;
        p->counters.merged += b->step[i].left_out;
        seen++;
    }
}

static void add_event(struct batch *b, uint16_t type, uint16_t code, int32_t value)
{
    struct input_event *e = &b->event[b->events++];

    memset(e, 0, sizeof *e);
    e->type = type;
    e->code = code;
    e->value = value;
}

static void add_events(struct batch *b, const struct step *s)
{
    if (s->moves) {
        b->x = told_apart(s->x, b->x);
        b->y = told_apart(s->y, b->y);
        add_event(b, EV_ABS, ABS_X, b->x);
        add_event(b, EV_ABS, ABS_Y, b->y);
    }
    for (int i = 0; i < s->count; i++)
        add_event(b, EV_KEY, s->button[i].code, s->button[i].pressed);
    if (s->kind == WHEEL)
        add_event(b, EV_REL, REL_WHEEL, s->value);
    if (s->kind == KEY)
        add_event(b, EV_KEY, s->code, s->value);
}

/* Publish in_cons, write the events, note in the page that they are written: of a process that is
 * killed in between, what was not written is done by the next one or lost, and never done twice.
 * Nothing comes between the first two: a hypercall there has Xen run others, perhaps for long. */
static int write_events(struct pump *p, struct batch *b, int fd, uint32_t cons)
{
    const char *at = (const char *)b->event;
    size_t left = (size_t)b->events * sizeof b->event[0];
    bool news = cons != p->published;

    publish(p, cons);
    while (left) {
        ssize_t n = write(fd, at, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            p->failed_fd = fd;
            return n < 0 ? -errno : -EIO;
        }
        at += n;
        left -= (size_t)n;
        p->counters.writes++;
    }
    __atomic_store_n(word(p, KBDIF_OURS_WRITTEN), cons, __ATOMIC_RELEASE);
    p->counters.events += (uint64_t)b->events;
    b->events = 0;
    if (news)
        notify_backend(p);
    return 0;
}

/* Write all steps, in their order. */
static int batch_write(struct pump *p, struct batch *b)
{
    int keys = 0, in_frame = 0, fd = -1, rc = 0;

    thin(p, b);
    for (int i = 0; i < b->count; i++)
        keys += b->step[i].kind == KEY;
    for (int i = 0; i < b->count && !rc; i++) {
        const struct step *s = &b->step[i];
        bool last = i + 1 == b->count || s[1].kind != KEY || s->kind != KEY;

        if (s->left_out)
            continue;
        if (b->events &&
            (fd_of(p, s) != fd || (!in_frame && b->events + events_of(s) > BATCH_EVENTS)))
            rc = write_events(p, b, fd, s->from);
        if (rc)
            break;
        fd = fd_of(p, s);
        add_events(b, s);
        in_frame++;
        if (!last && 2 * keys > KEYBOARD_EVENTS && in_frame < KEYS_IN_A_FRAME &&
            b->events + 2 <= BATCH_EVENTS)
            continue;
        add_event(b, EV_SYN, SYN_REPORT, 0);
        p->counters.frames++;
        in_frame = 0;
    }
    p->x = b->x;
    p->y = b->y;
    b->count = 0;
    return rc ? rc : write_events(p, b, fd, consumed(p));
}

/* ---- what becomes a step ---- */

struct place {
    bool known;
    int32_t x, y;
};

static bool any_button_down(const struct pump *p)
{
    for (uint32_t i = 0; i < KEY_BITMAP_BYTES; i++)
        if (p->down[i] & p->tablet_keys[i])
            return true;
    return false;
}

/* Before presses of buttons that are down: where the pointer is, their releases are lost. They go with
 * the presses, so that entries which are not consumed have written nothing. */
static void release_those_held(struct pump *p, struct batch *b)
{
    struct step *s = NULL;

    for (uint32_t i = 0; i < p->pending_count; i++) {
        if (!p->pending[i].again)
            continue;
        if (!s)
            s = add_step(b, BUTTONS, p->pending_from);
        s->button[s->count++] = (struct pump_button){p->pending[i].code, 0, 0};
    }
}

/* A frame of the tablet: the position first, then the buttons that waited for it. */
static void pointer_frame(struct pump *p, struct batch *b, struct place to)
{
    bool moves = to.known && !(b->placed && same_place(to.x, p->x) && same_place(to.y, p->y));
    bool stroke = any_button_down(p);
    struct step *s = b->count ? &b->step[b->count - 1] : NULL;

    if (p->pending_count) {
        release_those_held(p, b);
        s = add_step(b, BUTTONS, p->pending_from);
        s->count = (uint8_t)p->pending_count;
        memcpy(s->button, p->pending, p->pending_count * sizeof p->pending[0]);
        if (to.known)
            p->position_first = false;
        p->pending_count = 0;
        p->grace_ends = 0;
    } else if (!moves) {
        p->counters.merged += to.known;
        return;
    } else if (!stroke && s && s->kind == MOTION) {
        p->counters.merged++;
    } else {
        s = add_step(b, MOTION, p->next);
        s->stroke = stroke;
    }
    if (moves) {
        s->moves = b->placed = true;
        s->x = p->x = to.x;
        s->y = p->y = to.y;
    }
}

/* Of its own: of a frame with both, xf86-input-evdev turns the wheel before it moves the pointer. */
static void wheel_frame(struct pump *p, struct batch *b, int32_t steps)
{
    if (steps)
        add_step(b, WHEEL, p->next)->value = steps;
}

/* Buttons that no position came for: they count where the pointer is. */
static void pending_frame(struct pump *p, struct batch *b)
{
    if (!p->pending_count)
        return;
    p->counters.alone++;
    pointer_frame(p, b, (struct place){.known = false});
}

static void key_frame(struct pump *p, struct batch *b, uint16_t code, int32_t value)
{
    struct step *s = add_step(b, KEY, p->next);

    s->code = code;
    s->value = value;
}

/* A button's release of its own, where the pointer is. */
static void release_frame(struct pump *p, struct batch *b, uint16_t code)
{
    struct step *s;

    if (!has(p->tablet_keys, code)) {
        key_frame(p, b, code, 0);
        return;
    }
    s = add_step(b, BUTTONS, p->next);
    s->count = 1;
    s->button[0] = (struct pump_button){code, 0, 0};
}

/* ---- entries ---- */

static int32_t wheel_of(struct pump *p, int32_t rel_z)
{
    if (rel_z >= -WHEEL_MAX && rel_z <= WHEEL_MAX)
        return -rel_z;
    p->counters.clamped++;
    return rel_z < 0 ? WHEEL_MAX : -WHEEL_MAX;
}

static bool outside(struct pump *p, int32_t x, int32_t y)
{
    if (p->raw)
        return x < 0 || x > RAW_MAX || y < 0 || y > RAW_MAX;
    return x < 0 || y < 0 || (uint32_t)x >= p->width || (uint32_t)y >= p->height;
}

static void position_entry(struct pump *p, struct batch *b, int32_t x, int32_t y, int32_t rel_z)
{
    struct place to = {.known = true};

    p->counters.positions++;
    if (p->raw && p->scale_count && find_scale(p, x, y)) {
        to.x = axis_from_scaled(x, p->scale[p->scale_used].width, p->width);
        to.y = axis_from_scaled(y, p->scale[p->scale_used].height, p->height);
    } else if (p->raw) {
        p->counters.unfitting += p->scale_count > 0;
        to.x = axis_from_raw(x);
        to.y = axis_from_raw(y);
    } else if (p->width && p->height) {
        to.x = axis_from_pixel(x, p->width);
        to.y = axis_from_pixel(y, p->height);
    } else {
        to.known = false;
        p->counters.ignored++;
    }
    if (to.known && outside(p, x, y))
        p->counters.clamped++;
    pointer_frame(p, b, to);
    wheel_frame(p, b, wheel_of(p, rel_z));
}

static int32_t moved(int32_t axis, int32_t by, uint32_t size)
{
    int64_t to = (int64_t)pixel_from_axis(axis < 0 ? AXIS_MAX / 2 : axis, size) + by;

    return axis_from_pixel(to < 0 ? 0 : to > INT32_MAX ? INT32_MAX : (int32_t)to, size);
}

/* A backend that speaks relatively: so many pixels from where the tablet is. */
static void motion_entry(struct pump *p, struct batch *b, int32_t dx, int32_t dy, int32_t rel_z)
{
    struct place to = {.known = (dx || dy) && p->width && p->height};

    p->counters.motions++;
    if (to.known) {
        to.x = moved(p->x, dx, p->width);
        to.y = moved(p->y, dy, p->height);
    } else if (dx || dy) {
        p->counters.ignored++;
    }
    pointer_frame(p, b, to);
    wheel_frame(p, b, wheel_of(p, rel_z));
}

/* Note a key or button as down or up. In doubt is a press that is older than what was lost. */
static void mark(struct pump *p, uint32_t code, bool pressed)
{
    bool old = pressed && is_before(p->next, p->doubt_until);

    put(p->down, code, pressed);
    put(p->doubted, code, old);
    if (old && !p->doubt_ends)
        begin_doubt(p);
}

static void button_entry(struct pump *p, struct batch *b, uint16_t code, bool pressed)
{
    bool held = has(p->down, code);

    if (!pressed && !held)
        return;
    for (uint32_t i = 0; i < p->pending_count; i++)
        if (p->pending[i].code == code)
            pending_frame(p, b);
    if (p->pending_count == PENDING_BUTTONS)
        pending_frame(p, b);
    if (!p->pending_count)
        p->pending_from = p->next;
    p->pending[p->pending_count++] = (struct pump_button){code, pressed, pressed && held};
    mark(p, code, pressed);
}

static void key_entry(struct pump *p, struct batch *b, uint32_t code, bool pressed)
{
    bool held = has(p->down, code);

    p->counters.keys++;
    if (has(p->tablet_keys, code)) {
        button_entry(p, b, (uint16_t)code, pressed);
        return;
    }
    if (!has(p->keyboard_keys, code)) {
        p->counters.refused++;
        return;
    }
    pending_frame(p, b);
    if (!pressed && !held)
        return;
    if (pressed && held && has(p->doubted, code)) {
        key_frame(p, b, (uint16_t)code, 0);
        held = false;
    }
    /* A press of what is down is the viewer's own repeat: 2 in evdev's terms. */
    key_frame(p, b, (uint16_t)code, pressed ? 1 + held : 0);
    mark(p, code, pressed);
}

static void entry(struct pump *p, struct batch *b, const uint32_t *slot)
{
    const uint8_t *byte = (const uint8_t *)slot;

    p->counters.entries++;
    switch (byte[0]) {
    case KBDIF_TYPE_POS:
        position_entry(p, b, (int32_t)slot[1], (int32_t)slot[2], (int32_t)slot[3]);
        break;
    case KBDIF_TYPE_MOTION:
        motion_entry(p, b, (int32_t)slot[1], (int32_t)slot[2], (int32_t)slot[3]);
        break;
    case KBDIF_TYPE_KEY:
        key_entry(p, b, slot[1], byte[1] != 0);
        break;
    default:
        p->counters.ignored++;
    }
}

/* ---- the ring ---- */

static void take(struct pump *p, uint32_t index, uint32_t *slot)
{
    const uint32_t *from =
        word(p, KBDIF_RING_OFFSET + index % KBDIF_RING_LENGTH * KBDIF_ENTRY_SIZE);

    for (int i = 0; i < SLOT_WORDS; i++)
        slot[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* There is something new to tell of. */
static void start_tick(struct pump *p)
{
    if (p->tick_ns && !p->tick_ends)
        p->tick_ends = now_ns() + p->tick_ns;
}

/* Whether the owner is to look at the screen before this entry is translated. */
static bool asks_for_look(struct pump *p, const uint32_t *slot)
{
    uint8_t type = *(const uint8_t *)slot;
    bool positions = p->raw && type == KBDIF_TYPE_POS;
    bool answered = p->look == LOOK_DONE;
    bool rested, unfitting;
    uint64_t now;

    if ((!p->rest_ns && !p->look_ns) || (type != KBDIF_TYPE_POS && type != KBDIF_TYPE_MOTION))
        return false;
    now = now_ns();
    rested = p->rest_ns && now >= p->rest_ends;
    p->rest_ends = now + p->rest_ns;
    p->look = LOOK_NONE;
    if (answered)
        return false;
    unfitting = p->look_ns && positions && p->scale_count && now >= p->look_ends &&
                !find_scale(p, (int32_t)slot[1], (int32_t)slot[2]);
    if (unfitting)
        p->look_ends = now + p->look_ns;
    if (!rested && !unfitting)
        return false;
    p->look = LOOK_ASKED;
    p->counters.looks++;
    return true;
}

static uint64_t grace(const struct pump *p)
{
    return p->position_first && p->grace_ns > SHORT_GRACE_NS ? SHORT_GRACE_NS : p->grace_ns;
}

/* Translate copies of `count` entries, the first of which has the index `first`; if `may_ask`, up to
 * one before which the owner is to look at the screen. Number of entries translated, or -errno. */
static int translate(struct pump *p, uint32_t slots[][SLOT_WORDS], uint32_t first, uint32_t count,
                     bool may_ask)
{
    struct batch b;
    uint32_t taken = 0;
    int rc;

    batch_begin(p, &b);
    for (; taken < count && !(may_ask && asks_for_look(p, slots[taken])); taken++) {
        p->next = first + taken;
        entry(p, &b, slots[taken]);
    }
    p->next = first + taken;
    if (!taken)
        return 0;
    rc = batch_write(p, &b);
    if (rc)
        return rc;
    if (!is_before(p->next, p->doubt_until))
        p->doubt_until = p->next;
    if (p->pending_count && !p->grace_ends)
        p->grace_ends = now_ns() + grace(p);
    start_tick(p);
    return (int)taken;
}

/* Go on where another process may have been killed while it wrote.
 *
 * It published in_cons, wrote one device's events with one write(2), which a signal does not cut in
 * two (uinput_inject_events of drivers/input/misc/uinput.c), and noted that. If its note is behind
 * in_cons, the write may not have happened. It did not if a key that these entries speak of is not
 * as the last of them says; then they are translated now. Otherwise they are done with: a click, a
 * wheel step or a motion may be lost, and nothing is done twice. Slots that the backend may have
 * written to since are no evidence, then all that is down is in doubt. Whatever the backend makes
 * of our note, it gets no more than its own last entries translated again. */
static int resume(struct pump *p)
{
    uint32_t slots[KBDIF_RING_LENGTH][SLOT_WORDS];
    uint32_t from = __atomic_load_n(word(p, KBDIF_OURS_WRITTEN), __ATOMIC_ACQUIRE);
    uint32_t count = p->cons - from;
    uint8_t named[KEY_BITMAP_BYTES] = {0}, last[KEY_BITMAP_BYTES] = {0};
    bool written = true;

    p->resumed = true;
    if (count > KBDIF_RING_LENGTH)
        count = 0;
    p->doubt_until -= count;
    if (__atomic_load_n(word(p, KBDIF_OURS_DOUBT), __ATOMIC_ACQUIRE))
        doubt_what_is_down(p);
    if (!count)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        take(p, from + i, slots[i]);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (was_full(p, from)) {
        doubt_what_is_down(p);
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *byte = (const uint8_t *)slots[i];
        uint32_t code = slots[i][1];

        if (byte[0] != KBDIF_TYPE_KEY || !(has(p->tablet_keys, code) || has(p->keyboard_keys, code)))
            continue;
        put(named, code, true);
        put(last, code, byte[1] != 0);
    }
    for (uint32_t i = 0; i < KEY_BITMAP_BYTES; i++)
        written &= (p->down[i] & named[i]) == last[i];
    return written ? 0 : translate(p, slots, from, count, false);
}

int pump_drain(struct pump *p)
{
    uint32_t slots[KBDIF_RING_LENGTH][SLOT_WORDS];
    uint32_t prod, first = p->cons, count;
    int rc = p->resumed ? 0 : resume(p);

    if (rc < 0)
        return rc;
    prod = __atomic_load_n(word(p, KBDIF_IN_PROD), __ATOMIC_ACQUIRE);
    count = prod - first;
    if (!count || p->look == LOOK_ASKED)
        return 0;
    if (count > KBDIF_RING_LENGTH) {
        p->counters.overruns++;
        p->cons = p->next = p->published = p->doubt_until = prod;
        start_tick(p);
        rc = pump_release(p);
        notify_backend(p);
        return rc;
    }
    for (uint32_t i = 0; i < count; i++)
        take(p, first + i, slots[i]);
    rc = translate(p, slots, first, count, true);
    p->cons = p->next;
    return rc;
}

/* Release those of `codes` that are down. */
static int lift(struct pump *p, struct batch *b, const uint8_t *codes)
{
    int rc = 0;

    pending_frame(p, b);
    for (uint32_t code = 0; code < KEY_BITMAP_BYTES * 8 && !rc; code++) {
        if (!has(codes, code) || !has(p->down, code))
            continue;
        if (b->count == STEPS)
            rc = batch_write(p, b);
        release_frame(p, b, (uint16_t)code);
        put(p->down, code, false);
    }
    return rc;
}

int pump_release(struct pump *p)
{
    struct batch b;
    uint8_t down[KEY_BITMAP_BYTES];
    int rc;

    memcpy(down, p->down, sizeof down);
    batch_begin(p, &b);
    rc = lift(p, &b, down);
    memset(p->down, 0, sizeof p->down);
    if (!rc)
        rc = batch_write(p, &b);
    end_doubt(p);
    return rc;
}

void pump_init(struct pump *p, uint32_t cons)
{
    memset(&p->counters, 0, sizeof p->counters);
    memset(p->down, 0, sizeof p->down);
    memset(p->doubted, 0, sizeof p->doubted);
    p->cons = p->next = p->published = p->doubt_until = cons;
    p->x = p->y = -1;
    p->failed_fd = -1;
    p->pending_count = p->quiet_wakeups = 0;
    p->position_first = p->resumed = false;
    p->look = LOOK_NONE;
    p->scale_count = p->scale_used = 0;
    p->scale_known = false;
    p->width = p->height = 0;
    p->rest_ends = p->look_ends = 0;
    p->grace_ends = p->tick_ends = p->pause_ends = p->doubt_ends = 0;
}

/* ---- waiting ---- */

/* Ports that fired may fire again once they are written back. */
static int unmask(struct pump *p, const uint32_t *ports, ssize_t bytes)
{
    if (write(p->channel_fd, ports, (size_t)bytes) == bytes)
        return 0;
    p->failed_fd = p->channel_fd;
    return -errno;
}

static int heard(struct pump *p)
{
    uint32_t ports[16];
    ssize_t n = read(p->channel_fd, ports, sizeof ports);
    int rc;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0) {
        p->failed_fd = p->channel_fd;
        return n < 0 ? -errno : -EPIPE;
    }
    p->counters.wakeups++;
    if (p->quiet_wakeups >= QUIET_WAKEUPS_MAX)
        p->pause_ends = now_ns() + QUIET_PAUSE_NS;
    /* Before the drain: what comes after its look at the index then fires anew. */
    rc = unmask(p, ports, n);
    if (!rc)
        rc = pump_drain(p);
    if (rc >= 0)
        p->quiet_wakeups = rc ? 0 : p->quiet_wakeups + 1;
    return rc;
}

static bool due(uint64_t end)
{
    return end && now_ns() >= end;
}

/* The last look, then the buttons that nobody placed; what the look itself brought still waits. */
static int grace_over(struct pump *p)
{
    struct batch b;
    int rc = pump_drain(p);

    if (rc < 0 || !due(p->grace_ends))
        return rc;
    p->grace_ends = 0;
    p->position_first = true;
    batch_begin(p, &b);
    pending_frame(p, &b);
    return batch_write(p, &b);
}

/* The last look, then the release of what the backend said nothing about. */
static int doubt_over(struct pump *p)
{
    struct batch b;
    uint8_t doubted[KEY_BITMAP_BYTES];
    int rc = pump_drain(p);

    if (rc < 0 || !due(p->doubt_ends))
        return rc;
    memcpy(doubted, p->doubted, sizeof doubted);
    memset(p->doubted, 0, sizeof p->doubted);
    p->doubt_ends = 0;
    batch_begin(p, &b);
    rc = lift(p, &b, doubted);
    if (!rc)
        rc = batch_write(p, &b);
    if (!rc && !p->doubt_ends)
        end_doubt(p);
    return rc;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return !a ? b : !b ? a : a < b ? a : b;
}

static int wait_until(struct pollfd *fds, int count, uint64_t end)
{
    uint64_t now = now_ns();
    uint64_t left = end > now ? end - now : 0;
    struct timespec t = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    int n = ppoll(fds, (nfds_t)count, end ? &t : NULL, NULL);

    if (n < 0 && errno == EINTR) {
        for (int i = 0; i < count; i++)
            fds[i].revents = 0;
        return 0;
    }
    return n < 0 ? -errno : n;
}

static bool over(uint64_t *end)
{
    if (!due(*end))
        return false;
    *end = 0;
    return true;
}

int pump_wait(struct pump *p, const int *control, int count)
{
    struct pollfd fds[1 + PUMP_CONTROL_MAX];
    int ready = 0;
    int rc;

    if (count < 0 || count > PUMP_CONTROL_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++)
        fds[1 + i] = (struct pollfd){.fd = control[i], .events = POLLIN};
    rc = pump_drain(p);
    while (rc >= 0) {
        if (p->look == LOOK_ASKED)
            return ready | PUMP_LOOK;
        fds[0] = (struct pollfd){.fd = p->pause_ends ? -1 : p->channel_fd, .events = POLLIN};
        rc = wait_until(fds, 1 + count,
                        sooner(sooner(p->pause_ends, p->doubt_ends),
                               sooner(p->grace_ends, p->tick_ends)));
        if (rc >= 0 && fds[0].revents)
            rc = heard(p);
        if (rc >= 0 && over(&p->pause_ends))
            rc = pump_drain(p);
        /* A button's position may be the entry that waits for a look at the screen. */
        if (rc >= 0 && p->look != LOOK_ASKED && due(p->grace_ends))
            rc = grace_over(p);
        if (rc >= 0 && due(p->doubt_ends))
            rc = doubt_over(p);
        if (rc < 0)
            return rc;
        for (int i = 0; i < count; i++)
            if (fds[1 + i].revents)
                ready |= 1 << i;
        if (over(&p->tick_ends))
            ready |= PUMP_TICK;
        if (ready)
            return p->look == LOOK_ASKED ? ready | PUMP_LOOK : ready;
    }
    return rc;
}
