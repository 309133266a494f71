/* SPDX-License-Identifier: MIT
 *
 * See pump.h. The backend is not trusted: its producer index is checked, an entry is copied before
 * it is looked at, our consumer index is never read back from the page.
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
    FRAME_EVENTS = 2 + 8 + 1,
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

static uint32_t *word(struct pump *p, uint32_t offset)
{
    return (uint32_t *)(void *)(p->page + offset);
}

/* Give slots back; what in_cons says now. Those of buttons that still wait for their position stay: a
 * process that follows a crash reads them again. */
static uint32_t give_back(struct pump *p)
{
    uint32_t cons = p->pending_count ? p->pending_from : p->next;

    __atomic_store_n(word(p, KBDIF_IN_CONS), cons, __ATOMIC_RELEASE);
    return cons;
}

/* Say so, as xen-kbdfront does; a backend may wait for room. */
static void tell(struct pump *p, uint32_t cons)
{
    struct ioctl_evtchn_notify notify = {.port = p->channel_port};

    if (p->channel_port && cons != p->told)
        (void)ioctl(p->channel_fd, IOCTL_EVTCHN_NOTIFY, &notify);
    p->told = cons;
}

/* ---- one write of whole frames ---- */

struct batch {
    struct input_event event[BATCH_EVENTS];
    int count;
    int frames;
    int fd;
    int motion_at;             /* where the last frame begins if it is motion-only, else -1 */
    int32_t before_x, before_y; /* p->x and p->y before that frame */
    bool placed;               /* p->x and p->y were sent in this batch */
};

static void batch_begin(struct batch *b)
{
    b->count = b->frames = 0;
    b->fd = -1;
    b->motion_at = -1;
    b->placed = false;
}

static int batch_flush(struct pump *p, struct batch *b)
{
    const char *at = (const char *)b->event;
    size_t left = (size_t)b->count * sizeof b->event[0];
    uint32_t cons;

    /* Of a process that is killed between the two, what was not written is lost, not done twice.
     * Nothing comes between them: a hypercall there has Xen run others, perhaps for a long time. */
    cons = give_back(p);
    while (left) {
        ssize_t n = write(b->fd, at, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            p->failed_fd = b->fd;
            return n < 0 ? -errno : -EIO;
        }
        at += n;
        left -= (size_t)n;
        p->counters.writes++;
    }
    p->counters.events += (uint64_t)b->count;
    p->counters.frames += (uint64_t)b->frames;
    b->count = b->frames = 0;
    b->motion_at = -1;
    tell(p, cons);
    return 0;
}

/* Make room for a frame; events of two devices keep the order the backend gave them. */
static int batch_frame(struct pump *p, struct batch *b, int fd)
{
    int rc = 0;

    if (b->count && (b->fd != fd || b->count + FRAME_EVENTS > BATCH_EVENTS))
        rc = batch_flush(p, b);
    b->fd = fd;
    b->frames++;
    return rc;
}

static void batch_event(struct batch *b, uint16_t type, uint16_t code, int32_t value)
{
    struct input_event *e = &b->event[b->count++];

    memset(e, 0, sizeof *e);
    e->type = type;
    e->code = code;
    e->value = value;
}

/* ---- frames ---- */

struct place {
    bool known;
    int32_t x, y;
};

/* A frame of the tablet: the position first, then the buttons that waited for it. */
static int pointer_frame(struct pump *p, struct batch *b, struct place to)
{
    bool moves = to.known && !(b->placed && same_place(to.x, p->x) && same_place(to.y, p->y));
    bool motion_only = !p->pending_count;
    int rc;

    if (motion_only && !moves) {
        p->counters.merged += to.known;
        return 0;
    }
    if (motion_only && b->motion_at >= 0) {
        b->count = b->motion_at;
        b->frames--;
        p->x = b->before_x;
        p->y = b->before_y;
        p->counters.merged++;
    }
    rc = batch_frame(p, b, p->tablet_fd);
    if (rc)
        return rc;
    if (motion_only) {
        b->motion_at = b->count;
        b->before_x = p->x;
        b->before_y = p->y;
    } else {
        b->motion_at = -1;
    }
    if (moves) {
        p->x = told_apart(to.x, p->x);
        p->y = told_apart(to.y, p->y);
        b->placed = true;
        batch_event(b, EV_ABS, ABS_X, p->x);
        batch_event(b, EV_ABS, ABS_Y, p->y);
    }
    if (p->pending_count && to.known)
        p->position_first = false;
    for (uint32_t i = 0; i < p->pending_count; i++)
        batch_event(b, EV_KEY, p->pending[i].code, p->pending[i].pressed);
    p->pending_count = 0;
    p->grace_ends = 0;
    batch_event(b, EV_SYN, SYN_REPORT, 0);
    return 0;
}

/* Of its own: of a frame with both, xf86-input-evdev turns the wheel before it moves the pointer. */
static int wheel_frame(struct pump *p, struct batch *b, int32_t steps)
{
    int rc;

    if (!steps)
        return 0;
    rc = batch_frame(p, b, p->tablet_fd);
    if (rc)
        return rc;
    b->motion_at = -1;
    batch_event(b, EV_REL, REL_WHEEL, steps);
    batch_event(b, EV_SYN, SYN_REPORT, 0);
    return 0;
}

/* Buttons that no position came for: they count where the pointer is. */
static int pending_frame(struct pump *p, struct batch *b)
{
    if (!p->pending_count)
        return 0;
    p->counters.alone++;
    return pointer_frame(p, b, (struct place){.known = false});
}

static int key_frame(struct pump *p, struct batch *b, int fd, uint16_t code, int32_t value)
{
    int rc = batch_frame(p, b, fd);

    if (rc)
        return rc;
    batch_event(b, EV_KEY, code, value);
    batch_event(b, EV_SYN, SYN_REPORT, 0);
    return 0;
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

static int position_entry(struct pump *p, struct batch *b, int32_t x, int32_t y, int32_t rel_z)
{
    struct place to = {.known = true};
    int rc;

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
    rc = pointer_frame(p, b, to);
    return rc ? rc : wheel_frame(p, b, wheel_of(p, rel_z));
}

static int32_t moved(int32_t axis, int32_t by, uint32_t size)
{
    int64_t to = (int64_t)pixel_from_axis(axis < 0 ? AXIS_MAX / 2 : axis, size) + by;

    return axis_from_pixel(to < 0 ? 0 : to > INT32_MAX ? INT32_MAX : (int32_t)to, size);
}

/* A backend that speaks relatively: so many pixels from where the tablet is. */
static int motion_entry(struct pump *p, struct batch *b, int32_t dx, int32_t dy, int32_t rel_z)
{
    struct place to = {.known = (dx || dy) && p->width && p->height};
    int rc;

    p->counters.motions++;
    if (to.known) {
        to.x = moved(p->x, dx, p->width);
        to.y = moved(p->y, dy, p->height);
    } else if (dx || dy) {
        p->counters.ignored++;
    }
    rc = pointer_frame(p, b, to);
    return rc ? rc : wheel_frame(p, b, wheel_of(p, rel_z));
}

static int button_entry(struct pump *p, struct batch *b, uint16_t code, bool pressed)
{
    int rc = 0;

    if (has(p->down, code) == pressed)
        return 0;
    for (uint32_t i = 0; i < p->pending_count && !rc; i++)
        if (p->pending[i].code == code)
            rc = pending_frame(p, b);
    if (!rc && p->pending_count == sizeof p->pending / sizeof p->pending[0])
        rc = pending_frame(p, b);
    if (rc)
        return rc;
    if (!p->pending_count)
        p->pending_from = p->next;
    p->pending[p->pending_count++] = (struct pump_button){code, pressed};
    put(p->down, code, pressed);
    b->motion_at = -1;
    return 0;
}

static int key_entry(struct pump *p, struct batch *b, uint32_t code, bool pressed)
{
    bool held = has(p->down, code);
    int rc;

    p->counters.keys++;
    if (has(p->tablet_keys, code))
        return button_entry(p, b, (uint16_t)code, pressed);
    if (!has(p->keyboard_keys, code)) {
        p->counters.refused++;
        return 0;
    }
    rc = pending_frame(p, b);
    if (rc || (!pressed && !held))
        return rc;
    put(p->down, code, pressed);
    /* A press of what is down is the viewer's own repeat: 2 in evdev's terms. */
    return key_frame(p, b, p->keyboard_fd, (uint16_t)code, pressed ? 1 + held : 0);
}

static int entry(struct pump *p, struct batch *b, const uint32_t *slot)
{
    const uint8_t *byte = (const uint8_t *)slot;

    p->counters.entries++;
    switch (byte[0]) {
    case KBDIF_TYPE_POS:
        return position_entry(p, b, (int32_t)slot[1], (int32_t)slot[2], (int32_t)slot[3]);
    case KBDIF_TYPE_MOTION:
        return motion_entry(p, b, (int32_t)slot[1], (int32_t)slot[2], (int32_t)slot[3]);
    case KBDIF_TYPE_KEY:
        return key_entry(p, b, slot[1], byte[1] != 0);
    default:
        p->counters.ignored++;
        return 0;
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

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
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

int pump_drain(struct pump *p)
{
    uint32_t slots[KBDIF_RING_LENGTH][SLOT_WORDS];
    uint32_t prod = __atomic_load_n(word(p, KBDIF_IN_PROD), __ATOMIC_ACQUIRE);
    uint32_t count = prod - p->cons;
    uint32_t taken = 0;
    struct batch b;
    int rc = 0;

    if (!count || p->look == LOOK_ASKED)
        return 0;
    if (count > KBDIF_RING_LENGTH) {
        p->counters.overruns++;
        p->cons = p->next = prod;
        start_tick(p);
        return pump_release(p);
    }
    for (uint32_t i = 0; i < count; i++)
        take(p, p->cons + i, slots[i]);

    batch_begin(&b);
    for (; taken < count && !rc && !asks_for_look(p, slots[taken]); taken++) {
        p->next = p->cons + taken;
        rc = entry(p, &b, slots[taken]);
    }
    p->cons = p->next = p->cons + taken;
    if (!taken)
        return 0;
    if (!rc)
        rc = batch_flush(p, &b);
    if (rc)
        return rc;
    if (p->pending_count && !p->grace_ends)
        p->grace_ends = now_ns() + grace(p);
    start_tick(p);
    return (int)taken;
}

int pump_release(struct pump *p)
{
    struct batch b;
    int rc;

    batch_begin(&b);
    rc = pending_frame(p, &b);
    for (uint32_t code = 0; code < KEY_BITMAP_BYTES * 8 && !rc; code++)
        if (has(p->down, code))
            rc = key_frame(p, &b, has(p->tablet_keys, code) ? p->tablet_fd : p->keyboard_fd,
                           (uint16_t)code, 0);
    memset(p->down, 0, sizeof p->down);
    return rc ? rc : batch_flush(p, &b);
}

void pump_init(struct pump *p, uint32_t cons)
{
    memset(&p->counters, 0, sizeof p->counters);
    memset(p->down, 0, sizeof p->down);
    p->cons = p->next = p->told = cons;
    p->x = p->y = -1;
    p->failed_fd = -1;
    p->pending_count = p->quiet_wakeups = 0;
    p->position_first = false;
    p->look = LOOK_NONE;
    p->scale_count = p->scale_used = 0;
    p->scale_known = false;
    p->width = p->height = 0;
    p->rest_ends = p->look_ends = 0;
    p->grace_ends = p->tick_ends = p->pause_ends = 0;
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
    batch_begin(&b);
    rc = pending_frame(p, &b);
    return rc ? rc : batch_flush(p, &b);
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
        rc = wait_until(fds, 1 + count, sooner(p->pause_ends, sooner(p->grace_ends, p->tick_ends)));
        if (rc >= 0 && fds[0].revents)
            rc = heard(p);
        if (rc >= 0 && over(&p->pause_ends))
            rc = pump_drain(p);
        /* A button's position may be the entry that waits for a look at the screen. */
        if (rc >= 0 && p->look != LOOK_ASKED && due(p->grace_ends))
            rc = grace_over(p);
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
