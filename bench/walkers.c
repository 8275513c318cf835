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
#include "views.h"

#define NEIGHBOURS 20.0
#define STRIDE 20.0   /* hundredths a step: 2 units a second */
#define PATIENCE 5.0  /* seconds for the views to become true */

static int server, following = -1;
static double settle = 1, seconds = 10, side;
static Latencies answer;
static uint64_t moves, answers;
static uint32_t randomness = 2463534242u;

static double chance(void) {
    randomness ^= randomness << 13, randomness ^= randomness >> 17, randomness ^= randomness << 5;
    return randomness / 4294967296.0;
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
            if (*text == 15) update(w, kind == COLYSEUS || w->seeing >= ENOUGH, at);
            if (c->state == JOINING) is_ready(c);
        } else if (opcode == 2) {
            die("the room sent a message of kind %d", *text);
        }
    }
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

/* How long a process was kept from its core by others, in seconds. */
static double waited_seconds(int process) {
    char name[40];
    unsigned long long ran, waited = 0;
    snprintf(name, sizeof name, "/proc/%d/schedstat", process);
    FILE *file = fopen(name, "r");
    if (!file) return 0; /* a kernel without these figures */
    if (fscanf(file, "%llu %llu", &ran, &waited) != 2) waited = 0;
    fclose(file);
    return waited / 1e9;
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
        if (kind >= COLYSEUS) { /* others may hear of somebody before that one's own handshake has ended */
            const char *id = strstr(paths[i], "sessionId=");
            if (!id) die("no session in %s", paths[i]);
            know(i, id + 10, strlen(id + 10));
        }
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
    double kept = waited_seconds(server), kept_here = waited_seconds(getpid());
    for (int i = 0; i < count; i++) walkers[i].updated_at = measured_from;
    measuring = 1;
    walk_for(seconds);
    measuring = 0;
    late_still(now());
    double elapsed = (now() - measured_from) / 1e9;
    load = cpu_seconds() - spun / 1e9 - load, served = server_seconds() - served;
    kept = waited_seconds(server) - kept, kept_here = waited_seconds(getpid()) - kept_here;

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
           "\"server_cpu_s\": %.3f, \"server_busy\": %.3f, \"load_busy\": %.3f, "
           "\"server_kept\": %.3f, \"load_kept\": %.3f}\n",
           (unsigned long long)unknown, (unsigned long long)broken, wrong, stood, first_wrong, served, served / elapsed,
           load / elapsed, kept / elapsed, kept_here / elapsed);
    return 0;
}
