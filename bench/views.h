/* views.h: what each walker has been told of the others, and whether it is so: included by walkers.c, which walks.
 * Reads what the servers send: JSON, and the patches of Colyseus.
 */
enum { HEREABOUTS, BROADCAST_JSON, SOCKETIO, COLYSEUS, COLYSEUS_VIEWS };

#define TICK_NS 100000000ull
#define RADIUS 1000   /* hundredths */
#define OUT 1100      /* in at RADIUS, out beyond this */
#define MEMORY 64     /* steps that are remembered of each */
/* So many in view, and somebody moves in every tick, though steps and ticks are not in step. */
#define ENOUGH 4

typedef struct {
    int x, y;
    uint64_t at;
} Step;

typedef struct {
    int who, x, y;
} Seen;

typedef struct {
    char key[40];
    double x, y, heading;
    unsigned steps, answers;
    Step memory[MEMORY];
    int followed, seeing, room, hint;
    long version;
    uint64_t updated_at;
    Seen *view;
} Walker;

static int kind;
static Walker *walkers;
static Latencies lateness, age;
static uint64_t updates, entries, looks, seen_sum, broken, unknown;
static char first_wrong[200];

static void complain(const char *format, ...) {
    va_list list;
    va_start(list, format);
    if (!*first_wrong) vsnprintf(first_wrong, sizeof first_wrong, format, list);
    va_end(list);
}

/* Who is meant by an id: open addressing over the keys' own characters. */

#define PLACES 32768
static int places[PLACES]; /* index + 1 */

static unsigned place_of(const char *key, size_t size) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ (uint8_t)key[i]) * 16777619u;
    return (hash ^ hash >> 15) % PLACES;
}

static void know(int who, const char *key, size_t size) {
    if (size >= sizeof walkers->key) die("an id of %zu characters", size);
    memcpy(walkers[who].key, key, size);
    unsigned place = place_of(key, size);
    while (places[place]) place = (place + 1) % PLACES;
    places[place] = who + 1;
}

static int who_is(const char *key, size_t size) {
    for (unsigned place = place_of(key, size); places[place]; place = (place + 1) % PLACES) {
        const char *known = walkers[places[place] - 1].key;
        if (!memcmp(known, key, size) && !known[size]) return places[place] - 1;
    }
    return -1;
}

/* What a walker sees */

static Seen *seen(Walker *w, int who) {
    for (int i = 0, at = w->hint; i < w->seeing; i++, at++) {
        if (at >= w->seeing) at = 0;
        if (w->view[at].who == who) {
            w->hint = at + 1 < w->seeing ? at + 1 : 0;
            return &w->view[at];
        }
    }
    return NULL;
}

static void measure_age(int who, int x, int y, uint64_t at) {
    const Walker *w = &walkers[who];
    if (!measuring) return;
    for (unsigned back = 1; back <= MEMORY && back <= w->steps; back++) {
        const Step *step = &w->memory[(w->steps - back) % MEMORY];
        if (step->x != x || step->y != y) continue;
        record(&age, at - step->at);
        if (kind == BROADCAST_JSON || kind == SOCKETIO) record(&lateness, at - step->at);
        return;
    }
    record(&age, MEMORY * TICK_NS);
    if (kind == BROADCAST_JSON || kind == SOCKETIO) record(&lateness, MEMORY * TICK_NS);
    unknown++;
}

static Seen *enters(Walker *w, int who) {
    if (seen(w, who)) {
        broken++;
        complain("%s entered twice at %s", walkers[who].key, w->key);
        return seen(w, who);
    }
    if (w->seeing == w->room) w->view = realloc(w->view, (w->room = 2 * w->room + 32) * sizeof *w->view);
    w->view[w->seeing] = (Seen){who, 0, 0};
    return &w->view[w->seeing++];
}

static void is_at(Walker *w, Seen *other, int x, int y, uint64_t at) {
    other->x = x, other->y = y;
    entries += measuring != 0;
    measure_age(other->who, x, y, at);
}

static void moved(Walker *w, int who, int x, int y, uint64_t at) {
    Seen *other = who < 0 ? NULL : seen(w, who);
    if (!other && who >= 0 && kind != HEREABOUTS) other = enters(w, who);
    if (other) return is_at(w, other, x, y, at);
    broken++;
    complain("somebody moved whom %s does not see", w->key);
}

static void leaves(Walker *w, int who) {
    Seen *other = who < 0 ? NULL : seen(w, who);
    if (other) {
        *other = w->view[--w->seeing];
        return;
    }
    broken++;
    complain("somebody left whom %s does not see", w->key);
}

/* An update of servers with ticks: how late after the one before, if there was something to tell in between. */
static void update(Walker *w, int busy, uint64_t at) {
    if (measuring) updates++;
    if (measuring && w->followed) looks++, seen_sum += w->seeing;
    if (measuring && busy) record(&lateness, at > w->updated_at + TICK_NS ? at - w->updated_at - TICK_NS : 0);
    w->updated_at = at;
}

/* Who waits for an update longer than a tick when the measurement ends is late as well. */
static void late_still(uint64_t at) {
    for (Walker *w = walkers; w < walkers + count; w++) {
        int waits = kind == COLYSEUS || ((kind == HEREABOUTS || kind == COLYSEUS_VIEWS) && w->seeing >= ENOUGH);
        if (waits && at > w->updated_at + TICK_NS) record(&lateness, at - w->updated_at - TICK_NS);
    }
}

/* JSON: enough of it for what these servers send */

static const char *number(const char *p, const char *end, int *hundredths) {
    int minus = p < end && *p == '-';
    long value = 0, unit = 100;
    for (p += minus; p < end && *p >= '0' && *p <= '9'; p++) value = 10 * value + *p - '0';
    value *= 100;
    if (p < end && *p == '.')
        for (p++; p < end && *p >= '0' && *p <= '9'; p++) value += (*p - '0') * (unit /= 10);
    if (p < end && (*p | 32) == 'e') die("an exponent where none was expected");
    *hundredths = minus ? -value : value;
    return p;
}

static const char *text_value(const char *p, const char *end, const char **text, size_t *size) {
    const char *quote = p < end && *p == '"' ? memchr(p + 1, '"', end - p - 1) : NULL;
    if (!quote) die("a string was expected: %.*s", (int)(end - p > 60 ? 60 : end - p), p);
    *text = p + 1, *size = quote - p - 1;
    return quote + 1;
}

static const char *after(const char *text, const char *end, const char *what) {
    const char *found = memmem(text, end - text, what, strlen(what));
    return found ? found + strlen(what) : NULL;
}

/* {"user_id": ..., "x": ..., "y": ..., and what else there is}, in any order; who it is, or -1. */
static const char *person(const char *p, const char *end, int *who, int *x, int *y) {
    *who = -1;
    for (p++; p < end && *p != '}';) {
        const char *name, *text;
        size_t size, length;
        p = text_value(p, end, &name, &size) + 1;
        if (*p == ' ') p++;
        if (*p == '"') {
            p = text_value(p, end, &text, &length);
            if (size == 7 && !memcmp(name, "user_id", 7)) *who = who_is(text, length);
        } else {
            p = number(p, end, size == 1 && *name == 'y' ? y : x);
        }
        while (p < end && (*p == ',' || *p == ' ')) p++;
    }
    return p + 1;
}

static void people_enter(Walker *w, const char *p, const char *end, uint64_t at) {
    while (p && p < end && *p == '{') {
        int who, x = 0, y = 0;
        p = person(p, end, &who, &x, &y);
        if (who >= 0) is_at(w, enters(w, who), x, y, at);
        else broken++, complain("somebody unknown entered");
        if (*p == ',') p++;
    }
}

static void nearby_update(Walker *w, const char *text, const char *end, uint64_t at) {
    const char *p = after(text, end, "\"version\":"), *key;
    size_t size;
    long version = p ? strtol(p, NULL, 10) : -1;
    int had = w->seeing;
    if (version != w->version + 1) broken++, complain("version %ld after %ld", version, w->version);
    w->version = version;
    p = after(text, end, "\"left\":[");
    for (; p && *p == '"'; p += *p == ',') {
        p = text_value(p, end, &key, &size);
        leaves(w, who_is(key, size));
    }
    p = after(text, end, "\"moved\":[");
    for (; p && *p == '['; p += *p == ',') {
        int x, y;
        p = number(text_value(p + 1, end, &key, &size) + 1, end, &x);
        p = number(p + 1, end, &y) + 1;
        moved(w, who_is(key, size), x, y, at);
    }
    people_enter(w, after(text, end, "\"entered\":["), end, at);
    update(w, had >= ENOUGH, at);
}

/* Colyseus: the wire format of @colyseus/schema 4, for a state {players: {map of {x, y: float32}}} */

static int player_at[65536], who_by_ref[65536]; /* refs by place in the map, people by ref: one room, one numbering */

static unsigned schema_number(const uint8_t **p) {
    unsigned first = *(*p)++, value = first;
    if (first == 0xcc) value = *(*p)++;
    else if (first == 0xcd) value = (*p)[0] | (*p)[1] << 8, *p += 2;
    else if (first == 0xce) value = (*p)[0] | (*p)[1] << 8 | (*p)[2] << 16, *p += 4;
    else if (first >= 0x80) die("a schema number that begins with %02x", first);
    return value;
}

static void patch(Walker *w, const uint8_t *p, const uint8_t *end, uint64_t at) {
    static unsigned players = 1;
    unsigned ref = 0;
    Seen *other = NULL;
    while (p < end) {
        unsigned operation = *p++;
        if (operation == 255) {
            if (other) is_at(w, other, other->x, other->y, at);
            other = NULL;
            ref = schema_number(&p);
        } else if (!ref) { /* the state: its one field */
            players = schema_number(&p);
        } else if (ref == players) {
            unsigned index = schema_number(&p);
            if (operation & 64) { /* gone, or replaced */
                Seen *gone = seen(w, who_by_ref[player_at[index]]);
                if (gone) *gone = w->view[--w->seeing];
            }
            if (operation & 128) {
                size_t size = *p++ & 31;
                int who = who_is((const char *)p, size);
                if (who < 0) die("a player who did not join: %.*s", (int)size, p);
                p += size;
                player_at[index] = schema_number(&p);
                who_by_ref[player_at[index]] = who;
                if (!seen(w, who)) enters(w, who);
            }
        } else {
            float value;
            if ((operation & 63) > 1) die("a field that is not there: %u", operation);
            memcpy(&value, p, 4);
            p += 4;
            if (!other) other = seen(w, who_by_ref[ref]);
            if (!other) {
                broken++, complain("player %u moved, whom %s does not see", ref, w->key);
                continue;
            }
            *(operation & 63 ? &other->y : &other->x) = lround(value * 100.0);
        }
    }
    if (other) is_at(w, other, other->x, other->y, at);
}

/* How many of the views are not what the steps say. */
static int untrue(void) {
    static uint8_t *in_view;
    int wrong = 0;
    if (!in_view) in_view = calloc(count, 1);
    *first_wrong = broken ? *first_wrong : 0;
    for (int i = 0; i < count; i++) {
        Walker *w = &walkers[i];
        if (!w->followed) continue;
        const Step *here = &w->memory[(w->steps - 1) % MEMORY];
        int bad = kind == HEREABOUTS && w->answers != w->steps;
        if (bad) complain("%s made %u steps and got %u answers", w->key, w->steps, w->answers);
        memset(in_view, 0, count);
        for (int k = 0; k < w->seeing; k++) {
            const Walker *other = &walkers[w->view[k].who];
            const Step *last = &other->memory[(other->steps - 1) % MEMORY];
            in_view[w->view[k].who] = 1;
            if (last->x == w->view[k].x && last->y == w->view[k].y) continue;
            bad++, complain("%s sees %s at %d %d, who is at %d %d", w->key, other->key, w->view[k].x, w->view[k].y, last->x, last->y);
        }
        for (int j = 0; j < count; j++) {
            const Step *there = &walkers[j].memory[(walkers[j].steps - 1) % MEMORY];
            int dx = abs(here->x - there->x), dy = abs(here->y - there->y), away = dx > dy ? dx : dy;
            int near = kind == HEREABOUTS || kind == COLYSEUS_VIEWS;
            if (i == j || (near && away >= RADIUS && away <= OUT)) continue; /* on the way in or out: either */
            if (in_view[j] == (!near || away < RADIUS)) continue;
            bad++, complain("%s %s %s, at %d hundredths", w->key, in_view[j] ? "sees" : "does not see", walkers[j].key, away);
        }
        wrong += bad != 0;
    }
    return wrong;
}
