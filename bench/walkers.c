/* walkers: people who walk ten steps a second and see who is near, for `python -m bench.living`. One thread, epoll.
 *
 *   gcc -O2 -o walkers walkers.c -lm
 *   walkers KIND [options]       prints one JSON object; exit 1 with a sentence if a connection fails
 *
 *   KIND   hereabouts      everybody watches with a radius of 10
 *          json            a server that sends every move to everybody, as JSON
 *          socketio        the same over socket.io
 *          colyseus        one Colyseus room: its state, everybody in it, as patches
 *          colyseus-views  the same, each client seeing those near
 *
 *   -p PORT -u PATH -f FILE -n N -c C   as load's: where, a path for each, how many, how many open at once
 *   -q PID                the server: its processor time is read from /proc at both ends of the measurement
 *   -V N                  so many have their views followed and checked (all of them, if left out)
 *   -s SECONDS -t SECONDS settling before, and time of, the measurement
 *
 * The square is as large as it takes for 20 others on average within 10 units (Chebyshev), its edges counted in.
 * Each walks straight on at 2 units a second, turning a little, back from the edge. Coordinates are whole
 * hundredths, so what comes back can be looked up among the steps that were made: that is the age of a position.
 * At the end all stand still, and every view that is followed has to become what the steps say: everybody
 * within 10, nobody beyond 11, each where the last step was. What is never right in five seconds is `wrong`.
 */
#include "client.h"

enum { HEREABOUTS, BROADCAST_JSON, SOCKETIO, COLYSEUS, COLYSEUS_VIEWS };

#define TICK_NS 100000000ull
#define RADIUS 1000   /* hundredths */
#define OUT 1100      /* in at RADIUS, out beyond this */
#define NEIGHBOURS 20.0
#define STRIDE 20.0   /* hundredths a step: 2 units a second */
#define MEMORY 64     /* steps that are remembered of each */
#define PATIENCE 5.0  /* seconds for the views to become true */
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

static int kind, server, following = -1;
static double settle = 1, seconds = 10, side;
static Walker *walkers;
static Latencies lateness, age, answer;
static uint64_t moves, updates, entries, looks, seen_sum, broken, unknown, answers;
static char first_wrong[200];
static uint32_t randomness = 2463534242u;

static double chance(void) {
    randomness ^= randomness << 13, randomness ^= randomness >> 17, randomness ^= randomness << 5;
    return randomness / 4294967296.0;
}

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
    if (measuring && busy && w->updated_at) record(&lateness, at > w->updated_at + TICK_NS ? at - w->updated_at - TICK_NS : 0);
    w->updated_at = at;
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

/* Walking */

static void say_where(Conn *c) {
    Walker *w = &walkers[c - conns];
    Step *step = &w->memory[w->steps++ % MEMORY];
    *step = (Step){lround(w->x), lround(w->y), 0};
    char text[200];
    int size;
    double x = step->x / 100.0, y = step->y / 100.0;
    if (kind >= COLYSEUS) {
        uint8_t *p = (uint8_t *)text;
        for (const char *q = "\x0d\xa4move\x82"; *q;) *p++ = *q++;
        for (int i = 0; i < 2; i++) {
            uint64_t bits;
            memcpy(&bits, i ? &y : &x, 8);
            bits = __builtin_bswap64(bits);
            *p++ = 0xa1, *p++ = i ? 'y' : 'x', *p++ = 0xcb;
            memcpy(p, &bits, 8);
            p += 8;
        }
        size = (char *)p - text;
    } else {
        static const char *forms[] = {"{\"type\":\"update_location\",\"x\":%.2f,\"y\":%.2f}",
                                      "{\"type\":\"move\",\"x\":%.2f,\"y\":%.2f}", "42[\"move\",{\"x\":%.2f,\"y\":%.2f}]"};
        size = sprintf(text, forms[kind], x, y);
    }
    step->at = now();
    send_frame(c, kind >= COLYSEUS ? 2 : 1, text, size);
}

static void walk(int who) {
    Walker *w = &walkers[who];
    w->heading += (chance() - .5) * .4;
    w->x += cos(w->heading) * STRIDE, w->y += sin(w->heading) * STRIDE;
    if (w->x < 0 || w->x > side) w->x = w->x < 0 ? -w->x : 2 * side - w->x, w->heading = M_PI - w->heading;
    if (w->y < 0 || w->y > side) w->y = w->y < 0 ? -w->y : 2 * side - w->y, w->heading = -w->heading;
    say_where(&conns[who]);
    moves += measuring != 0;
}

/* Coming in */

static void is_connected(Conn *c) { send_upgrade(c); }

static size_t take_head(Conn *c, uint64_t at) {
    char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!end) return 0;
    if (!holds(c->in, end - c->in, " 101 ")) die("handshake refused: %.*s", (int)(end - c->in), c->in);
    c->state = OPENING;
    if (kind >= COLYSEUS) {
        const char *id = strstr(paths[c - conns], "sessionId=") + 10;
        know(c - conns, id, strlen(id));
    }
    return end + 4 - c->in;
}

static void is_open(Conn *c) {
    c->state = JOINING;
    opened++;
    if (next_to_open < count) open_one();
}

static void is_ready(Conn *c) {
    c->state = READY;
    ready++;
}

static void knows_itself(Conn *c, const char *text, const char *end, const char *name) {
    const char *id = after(text, end, name), *key;
    size_t size;
    if (!id) die("%s was expected: %.*s", name, (int)(end - text), text);
    text_value(*id == ' ' ? id + 1 : id, end, &key, &size);
    know(c - conns, key, size);
    is_open(c);
}

static void message(Conn *c, int opcode, const char *text, size_t size, uint64_t at) {
    Walker *w = &walkers[c - conns];
    const char *end = text + size, *p;
    switch (kind) {
    case HEREABOUTS:
        if (c->state == OPENING) {
            knows_itself(c, text, end, "\"user_id\":");
            say_where(c);
            const char *watching = "{\"type\":\"watch_nearby\",\"radius\":10}";
            send_frame(c, 1, watching, strlen(watching));
        } else if (holds(text, size, "\"type\":\"location_updated\"")) {
            if (measuring) answers++, record(&answer, at - w->memory[w->answers % MEMORY].at);
            w->answers++;
        } else if (holds(text, size, "\"type\":\"nearby_update\"")) {
            if (w->followed) nearby_update(w, text, end, at);
        } else if (holds(text, size, "\"type\":\"nearby_snapshot\"")) {
            w->version = (p = after(text, end, "\"version\":")) ? strtol(p, NULL, 10) : -1;
            people_enter(w, after(text, end, "\"users\":["), end, at);
            is_ready(c);
        } else if (holds(text, size, "\"type\":\"error\"")) {
            die("%.*s", (int)size, text);
        }
        break;
    case BROADCAST_JSON:
    case SOCKETIO:
        if (c->state == OPENING && kind == SOCKETIO) {
            if (*text == '0') send_frame(c, 1, "40", 2);
            else knows_itself(c, text, end, "\"sid\":"), is_ready(c);
        } else if (c->state == OPENING) {
            knows_itself(c, text, end, "\"user_id\":"), is_ready(c);
        } else if (kind == SOCKETIO && size == 1 && *text == '2') {
            send_frame(c, 1, "3", 1);
        } else if (w->followed && (p = memchr(text, '{', size))) {
            int who, x, y;
            person(p, end, &who, &x, &y);
            if (who != c - conns) moved(w, who, x, y, at);
        }
        break;
    default:
        if (c->state == OPENING && *text == 10) {
            is_open(c);
            send_frame(c, 2, text, 1);
        } else if (*text == 14 || *text == 15) {
            if (w->followed) patch(w, (const uint8_t *)text + 1, (const uint8_t *)end, at);
            if (*text == 15) update(w, kind == COLYSEUS || w->seeing > ENOUGH, at);
            if (c->state == JOINING) is_ready(c);
        } else if (opcode == 2) {
            die("the room sent a message of kind %d", *text);
        }
    }
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
        int bad = 0;
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

static double server_seconds(void) {
    char name[40], line[512];
    unsigned long user = 0, system = 0;
    if (!server) return 0;
    snprintf(name, sizeof name, "/proc/%d/stat", server);
    FILE *file = fopen(name, "r");
    if (!file || !fgets(line, sizeof line, file)) die("%s: %s", name, strerror(errno));
    fclose(file);
    sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* Everybody in turn, spread evenly over each tick. */
static void walk_for(double time) {
    uint64_t from = now(), until = from + time * 1e9, done = 0;
    for (uint64_t at; (at = now()) < until;) {
        uint64_t due = (at - from) * count / TICK_NS;
        /* What comes in is taken in between, or a late start would only add to itself. */
        for (int burst = 0; done < due && burst < 64; burst++) walk(done++ % count);
        poll_once(done < due ? 0 : 1);
    }
}

static void show(const char *name, const Latencies *of) {
    printf(", \"%s_p50_ms\": %.3f, \"%s_p99_ms\": %.3f, \"%s_max_ms\": %.3f", name, percentile(of, .5), name,
           percentile(of, .99), name, of->worst / 1e6);
}

int main(int argc, char **argv) {
    static const char *kinds[] = {"hereabouts", "json", "socketio", "colyseus", "colyseus-views"};
    const char *path_file = NULL;
    for (kind = 0; argc > 1 && kind < 5 && strcmp(argv[1], kinds[kind]);) kind++;
    if (argc < 2 || kind > 4) die("expected a kind: hereabouts, json, socketio, colyseus or colyseus-views");
    optind = 2;
    for (int option; (option = getopt(argc, argv, "p:u:f:n:c:q:V:s:t:")) != -1;) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 'f': path_file = optarg; break;
        case 'n': count = atoi(optarg); break;
        case 'c': at_once = atoi(optarg); break;
        case 'q': server = atoi(optarg); break;
        case 'V': following = atoi(optarg); break;
        case 's': settle = atof(optarg); break;
        case 't': seconds = atof(optarg); break;
        default: return 2;
        }
    if (count <= NEIGHBOURS) die("more than %.0f people are needed for so many neighbours", NEIGHBOURS);
    if (path_file) read_paths(path_file);
    if (kind >= COLYSEUS && !paths) die("a room gives each client a path of its own: -f");
    /* Of N in a square of side S each has within r, on average, N (2r/S - (r/S)²)². */
    side = RADIUS / (1 - sqrt(1 - sqrt(NEIGHBOURS / count)));
    walkers = calloc(count, sizeof *walkers);
    for (int i = 0; i < count; i++) {
        Walker *w = &walkers[i];
        w->x = chance() * side, w->y = chance() * side, w->heading = chance() * 2 * M_PI;
        w->followed = following < 0 || (long)i * following / count != (long)(i - 1) * following / count || (!i && following);
    }

    uint64_t started_at = now();
    open_all();
    while (ready < count) {
        poll_once(10);
        if (now() - started_at > 60e9) die("only %d of %d are ready after a minute", ready, count);
    }
    walk_for(settle);
    uint64_t measured_from = now();
    double load = cpu_seconds() - spun / 1e9, served = server_seconds();
    for (int i = 0; i < count; i++) walkers[i].updated_at = 0;
    measuring = 1;
    walk_for(seconds);
    measuring = 0;
    double elapsed = (now() - measured_from) / 1e9;
    load = cpu_seconds() - spun / 1e9 - load, served = server_seconds() - served;

    uint64_t stood_at = now(), looked_at = stood_at;
    int wrong = untrue();
    while (wrong && looked_at - stood_at < PATIENCE * 1e9) {
        poll_once(10);
        if (now() - looked_at < 20e6) continue;
        looked_at = now();
        wrong = untrue();
    }
    double stood = (looked_at - stood_at) / 1e6;

    printf("{\"people\": %d, \"side\": %.1f, \"seconds\": %.3f, \"lost\": %d, \"moves\": %llu, \"bytes_per_s\": %.0f, "
           "\"frames_per_s\": %.2f, \"updates_per_s\": %.2f, \"positions\": %llu, \"in_view\": %.1f, \"answers\": %llu",
           count, side / 100, elapsed, lost, (unsigned long long)moves, bytes / elapsed / count, frames / elapsed / count,
           updates / elapsed / count, (unsigned long long)entries, looks ? seen_sum / (double)looks : 0,
           (unsigned long long)answers);
    show("late", &lateness), show("age", &age), show("answer", &answer);
    printf(", \"unknown\": %llu, \"broken\": %llu, \"wrong\": %d, \"true_after_ms\": %.0f, \"first_wrong\": \"%s\", "
           "\"server_cpu_s\": %.3f, \"server_busy\": %.3f, \"load_busy\": %.3f}\n",
           (unsigned long long)unknown, (unsigned long long)broken, wrong, stood, first_wrong, served, served / elapsed,
           load / elapsed);
    return 0;
}
