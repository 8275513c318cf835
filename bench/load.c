/* load: the load of the benchmarks. One thread, epoll; speaks WebSocket and just enough HTTP.
 *
 *   gcc -O2 -o load load.c -lm
 *   load MODE [options]          prints one JSON object; exit 1 with a sentence if a connection fails
 *
 *   fanout   P of N connections publish, everybody gets everything: a closed loop with W publications under
 *            way (-W), or R a second (-R); latency from the time that is written into each
 *   echo     each of N connections sends, waits for its answer, sends again
 *   connect  opens N connections, C at a time, and closes them
 *   hold     the same, and keeps them until standard input ends
 *   http     P keep-alive connections get -u again and again
 *
 *   -p PORT -u PATH      where; -f FILE has a path for each connection, a line each, instead
 *   -H LINE              a header line for every request
 *   -n N -c C            connections, and how many of them are opened at the same time
 *   -o TEXT              a connection is open once a frame with TEXT has come (else with the handshake)
 *   -j TEXT              then it sends this (repeatable), and is ready once a frame with -J TEXT has come
 *   -m TEMPLATE          what is sent: {t} time in ns, {i} sender, {x} {y} its place, {s} its step
 *   -a TEXT              what the answer to it holds (echo), or the acknowledgement (fanout: counted apart)
 *   -A TEXT              something to be counted within the answers
 *   -S UNITS -C COLUMNS  homes are a grid of so many columns, so far apart; everybody walks 20 units along x
 *                        and back, one unit a message
 *   -s SECONDS -t SECONDS   settling before, and time of, the measurement
 */
#include "client.h"

enum { FANOUT, ECHO, CONNECT, HOLD, HTTP };

#define MARK "bench:"

static int mode, publishers = 1, window = 8, columns = 100, joins;
static double rate, settle = 1, seconds = 5, spacing = 50;
static const char *open_text, *join_text[8], *ready_text, *answer_text, *counted_text;
static const char *template = "{\"content\":\"" MARK "{t}\"}";
static Latencies latencies;
static uint64_t published, delivered, answered, counted, started_at, opened_at, measured_from;

/* The template with its fields filled in, one step further. */
static void send_message(Conn *c) {
    char text[16384];
    size_t size = 0;
    long index = c - conns;
    unsigned along = c->step % 40;
    for (const char *p = template; *p && size < sizeof text - 40; p++) {
        if (*p != '{' || !p[1] || p[2] != '}') {
            text[size++] = *p;
            continue;
        }
        switch (p[1]) {
        case 't': size += sprintf(text + size, "%llu", (unsigned long long)now()); break;
        case 'i': size += sprintf(text + size, "%ld", index); break;
        case 's': size += sprintf(text + size, "%u", c->step); break;
        case 'x': size += sprintf(text + size, "%.1f", index % columns * spacing + (along < 20 ? along : 40 - along)); break;
        case 'y': size += sprintf(text + size, "%.1f", index / columns * spacing); break;
        default: die("no such field: {%c}", p[1]);
        }
        p += 2;
    }
    c->step++;
    c->sent_at = now();
    send_frame(c, 1, text, size);
}

static void is_connected(Conn *c) {
    if (mode != HTTP) return send_upgrade(c);
    opened++, ready++, opened_at = now();
    if (next_to_open < count) open_one();
    send_request(c, "");
}

static void is_ready(Conn *c) {
    c->state = READY;
    ready++;
}

static void is_open(Conn *c) {
    opened++;
    if (opened == count) opened_at = now();
    if (next_to_open < count) open_one();
    c->state = JOINING;
    for (int i = 0; i < joins; i++) send_frame(c, 1, join_text[i], strlen(join_text[i]));
    if (!ready_text) is_ready(c);
}

/* Where the mark of a publication stands: most often where it stood in the one before. */
static const char *find_mark(const char *text, size_t size) {
    static size_t place;
    if (place + sizeof MARK - 1 <= size && !memcmp(text + place, MARK, sizeof MARK - 1)) return text + place;
    const char *mark = memmem(text, size, MARK, sizeof MARK - 1);
    if (mark) place = mark - text;
    return mark;
}

static void message(Conn *c, int opcode, const char *text, size_t size, uint64_t at) {
    if (opcode != 1) return;
    if (c->state == OPENING) {
        if (holds(text, size, open_text)) is_open(c);
        return;
    }
    if (c->state == JOINING) {
        if (holds(text, size, ready_text)) is_ready(c);
        return;
    }
    if (!measuring) return;
    if (mode == FANOUT) {
        const char *mark = find_mark(text, size), *end = text + size;
        if (mark) {
            /* Some servers put several publications into one frame. */
            for (; mark; mark = memmem(mark, end - mark, MARK, sizeof MARK - 1)) {
                mark += sizeof MARK - 1;
                if (++delivered % 8 == 0) record(&latencies, at - strtoull(mark, NULL, 10));
            }
        } else if (holds(text, size, answer_text)) {
            answered++;
        }
    } else if (holds(text, size, answer_text)) {
        answered++;
        record(&latencies, at - c->sent_at);
        for (const char *p = text; counted_text && (p = memmem(p, text + size - p, counted_text, strlen(counted_text))); p++)
            counted++;
        if (measuring == 1) {
            send_message(c);
            published++;
        }
    }
}

/* The end of an HTTP head, and with it for a GET the whole answer. Returns how much is used, 0 if it is not there. */
static size_t take_head(Conn *c, uint64_t at) {
    char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = end + 4 - c->in;
    if (mode != HTTP) {
        if (!holds(c->in, head, " 101 ")) die("handshake refused: %.*s", (int)head, c->in);
        c->state = OPENING;
        if (!open_text) is_open(c);
        return head;
    }
    if (!holds(c->in, head, " 200 ")) die("refused: %.*s", (int)head, c->in);
    char *length = memmem(c->in, head, "Content-Length:", 15);
    size_t size = head + (length ? strtoul(length + 15, NULL, 10) : 0);
    if (c->have < size) return 0;
    if (measuring) {
        answered++;
        record(&latencies, at - c->sent_at);
        for (const char *p = c->in; counted_text && (p = memmem(p, c->in + size - p, counted_text, strlen(counted_text))); p++)
            counted++;
    }
    if (measuring < 2) {
        if (measuring) published++;
        send_request(c, "");
    }
    return size;
}

static void publish(uint64_t at) {
    if (rate > 0) {
        uint64_t due = (at - measured_from) / 1e9 * rate;
        for (; published < due; published++) send_message(&conns[published % publishers]);
    } else {
        while ((int64_t)(published * count - delivered) < (int64_t)window * count) send_message(&conns[published++ % publishers]);
    }
}

int main(int argc, char **argv) {
    static const char *modes[] = {"fanout", "echo", "connect", "hold", "http"};
    const char *path_file = NULL;
    for (mode = -1; argc > 1 && ++mode < 5 && strcmp(argv[1], modes[mode]);) {}
    if (argc < 2 || mode > 4) die("expected a mode: fanout, echo, connect, hold or http");
    optind = 2;
    for (int option; (option = getopt(argc, argv, "p:u:f:H:n:c:o:j:J:m:a:A:S:C:s:t:P:W:R:")) != -1;) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 'f': path_file = optarg; break;
        case 'H': header = optarg; break;
        case 'n': count = atoi(optarg); break;
        case 'c': at_once = atoi(optarg); break;
        case 'o': open_text = optarg; break;
        case 'j': join_text[joins++ & 7] = optarg; break;
        case 'J': ready_text = optarg; break;
        case 'm': template = optarg; break;
        case 'a': answer_text = optarg; break;
        case 'A': counted_text = optarg; break;
        case 'S': spacing = atof(optarg); break;
        case 'C': columns = atoi(optarg); break;
        case 's': settle = atof(optarg); break;
        case 't': seconds = atof(optarg); break;
        case 'P': publishers = atoi(optarg); break;
        case 'W': window = atoi(optarg); break;
        case 'R': rate = atof(optarg); break;
        default: return 2;
        }
    if (path_file) read_paths(path_file);
    started_at = now();
    open_all();
    while (ready < count && mode != HTTP) {
        poll_once(1000);
        if (now() - started_at > 120e9) die("only %d of %d are ready after two minutes", ready, count);
    }
    while (opened < count) poll_once(1000);
    double connects = count / ((opened_at - started_at) / 1e9);
    if (mode == HOLD) {
        printf("{\"connections\": %d, \"connects_per_s\": %.0f}\n", count, connects);
        fflush(stdout);
        struct epoll_event end = {EPOLLIN, {.ptr = NULL}};
        epoll_ctl(poller, EPOLL_CTL_ADD, 0, &end);
        for (;;) {
            struct epoll_event events[256];
            int found = epoll_wait(poller, events, 256, -1);
            for (int i = 0; i < found; i++) {
                char rest[64];
                if (events[i].data.ptr) event(events[i].data.ptr, events[i].events);
                else if (read(0, rest, sizeof rest) <= 0) return 0;
            }
        }
    }

    for (uint64_t until = now() + settle * 1e9; now() < until;) poll_once(5);
    double cpu = cpu_seconds();
    measured_from = last_at = now();
    measuring = mode == CONNECT ? 0 : 1;
    if (mode == ECHO) for (int i = 0; i < count; i++) send_message(&conns[i]), published++;
    uint64_t until = measured_from + seconds * 1e9, give_up = until + 10e9;
    while (measuring == 1) {
        uint64_t at = now();
        if (at >= until) measuring = 2; /* nothing new is sent; what is under way is waited for */
        else if (mode == FANOUT) publish(at);
        poll_once(rate > 0 ? 1 : 10);
    }
    while (measuring == 2 && now() < give_up) {
        if (mode == FANOUT ? delivered >= published * count && (!answer_text || answered >= published)
                           : answered >= published) break;
        poll_once(10);
    }
    cpu = cpu_seconds() - cpu;
    double elapsed = (last_at - measured_from) / 1e9;
    printf("{\"connections\": %d, \"lost\": %d, \"connects_per_s\": %.0f, \"seconds\": %.3f, \"sent\": %llu, "
           "\"delivered\": %llu, \"expected\": %llu, \"answered\": %llu, \"counted\": %llu, "
           "\"deliveries_per_s\": %.0f, \"answers_per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
           "\"frames\": %llu, \"bytes\": %llu, \"load_cpu\": %.3f}\n",
           count, lost, connects, elapsed, (unsigned long long)published, (unsigned long long)delivered,
           (unsigned long long)(mode == FANOUT ? published * count : 0), (unsigned long long)answered,
           (unsigned long long)counted, elapsed > 0 ? delivered / elapsed : 0, elapsed > 0 ? answered / elapsed : 0,
           percentile(&latencies, .5), percentile(&latencies, .99), latencies.worst / 1e6, (unsigned long long)frames, (unsigned long long)bytes,
           elapsed > 0 ? cpu / elapsed : 0);
    return 0;
}
