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
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { FANOUT, ECHO, CONNECT, HOLD, HTTP };
enum { CLOSED, CONNECTING, UPGRADING, OPENING, JOINING, READY };

typedef struct {
    int fd, state, joined;
    unsigned step;
    uint64_t sent_at;
    char *in, *out;
    size_t have, room, left, out_room;
} Conn;

#define BUCKETS 2400 /* of latency: each 1 % wider than the one before, from 1 µs */
#define MARK "bench:"
#define SPIN_NS 50000

static int mode, port = 8000, count = 100, at_once = 32, publishers = 1, window = 8, columns = 100, joins;
static double rate, settle = 1, seconds = 5, spacing = 50;
static const char *path = "/", *header, *open_text, *join_text[8], *ready_text, *answer_text, *counted_text;
static const char *template = "{\"content\":\"" MARK "{t}\"}";
static char **paths;
static Conn *conns;
static int poller, opened, ready, next_to_open, measuring, lost;
static uint64_t buckets[BUCKETS], published, delivered, answered, counted, frames, bytes, worst;
static uint64_t started_at, opened_at, measured_from, last_at;

static void die(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void record(uint64_t ns) {
    double us = ns / 1000.0;
    int bucket = us <= 1 ? 0 : (int)(log(us) / log(1.01));
    buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    if (ns > worst) worst = ns;
}

static double percentile(double share) {
    uint64_t all = 0, sum = 0;
    for (int i = 0; i < BUCKETS; i++) all += buckets[i];
    for (int i = 0; i < BUCKETS; i++)
        if ((sum += buckets[i]) && sum >= share * all) return pow(1.01, i) / 1000;
    return 0;
}

static void watch(Conn *c, int writing) {
    struct epoll_event event = {EPOLLIN | (writing ? EPOLLOUT : 0), {.ptr = c}};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event) && epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event))
        die("epoll_ctl: %s", strerror(errno));
}

static void flush(Conn *c) {
    while (c->left) {
        ssize_t sent = send(c->fd, c->out, c->left, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) return watch(c, 1);
        if (sent < 0) die("send to connection %ld: %s", (long)(c - conns), strerror(errno));
        memmove(c->out, c->out + sent, c->left -= sent);
    }
}

static void put(Conn *c, const void *data, size_t size) {
    if (c->left + size > c->out_room) c->out = realloc(c->out, c->out_room = 2 * (c->left + size));
    memcpy(c->out + c->left, data, size);
    c->left += size;
}

static void send_frame(Conn *c, int opcode, const char *text, size_t size) {
    static const uint8_t mask[4] = {0x5a, 0xc3, 0x17, 0x8e};
    uint8_t head[8] = {0x80 | opcode, 0x80 | (size < 126 ? size : 126), size >> 8, size & 255};
    static char masked[65536];
    for (size_t i = 0; i < size; i++) masked[i] = text[i] ^ mask[i & 3];
    put(c, head, size < 126 ? 2 : 4);
    put(c, mask, 4);
    put(c, masked, size);
    flush(c);
}

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

static void send_request(Conn *c) {
    char text[8192];
    const char *where = paths ? paths[c - conns] : path;
    const char *upgrade = mode == HTTP ? "" :
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s\r\n", where, port,
                        upgrade, header ? header : "", header ? "\r\n" : "");
    c->sent_at = now();
    put(c, text, size);
    flush(c);
}

static void open_one(void) {
    Conn *c = &conns[next_to_open++];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1;
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    c->in = malloc(c->room = 4096);
    c->state = CONNECTING;
    if (connect(c->fd, (void *)&to, sizeof to) && errno != EINPROGRESS) die("connect: %s", strerror(errno));
    watch(c, 1);
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

static int holds(const char *text, size_t size, const char *what) {
    return what && memmem(text, size, what, strlen(what)) != NULL;
}

/* Where the mark of a publication stands: most often where it stood in the one before. */
static const char *find_mark(const char *text, size_t size) {
    static size_t place;
    if (place + sizeof MARK - 1 <= size && !memcmp(text + place, MARK, sizeof MARK - 1)) return text + place;
    const char *mark = memmem(text, size, MARK, sizeof MARK - 1);
    if (mark) place = mark - text;
    return mark;
}

static void text_frame(Conn *c, const char *text, size_t size, uint64_t at) {
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
                if (++delivered % 8 == 0) record(at - strtoull(mark, NULL, 10));
            }
        } else if (holds(text, size, answer_text)) {
            answered++;
        }
    } else if (holds(text, size, answer_text)) {
        answered++;
        record(at - c->sent_at);
        for (const char *p = text; counted_text && (p = memmem(p, text + size - p, counted_text, strlen(counted_text))); p++)
            counted++;
        if (measuring == 1) {
            send_message(c);
            published++;
        }
    }
}

/* Takes complete frames off the input. Returns how much is used. */
static size_t take_frames(Conn *c, const char *in, size_t have, uint64_t at) {
    size_t used = 0;
    for (;;) {
        const uint8_t *p = (const uint8_t *)in + used;
        size_t left = have - used, head = 2, size;
        if (left < 2) return used;
        size = p[1] & 127;
        if (size == 126) {
            if (left < 4) return used;
            size = p[2] << 8 | p[3], head = 4;
        } else if (size == 127) {
            if (left < 10) return used;
            size = 0, head = 10;
            for (int i = 2; i < 10; i++) size = size << 8 | p[i];
        }
        if (left < head + size) return used;
        if (measuring) frames++;
        int opcode = p[0] & 15;
        if (opcode == 1) text_frame(c, (char *)p + head, size, at);
        else if (opcode == 9) send_frame(c, 10, (char *)p + head, size);
        else if (opcode == 8 && !lost++)
            fprintf(stderr, "closed with %d %.*s\n", size > 1 ? p[head] << 8 | p[head + 1] : 0,
                    (int)(size > 2 ? size - 2 : 0), p + head + 2);
        used += head + size;
    }
}

/* The end of an HTTP head, and with it for a GET the whole answer. Returns how much is used, 0 if it is not there. */
static size_t take_answer(Conn *c, uint64_t at) {
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
        record(at - c->sent_at);
        for (const char *p = c->in; counted_text && (p = memmem(p, c->in + size - p, counted_text, strlen(counted_text))); p++)
            counted++;
    }
    if (measuring < 2) {
        if (measuring) published++;
        send_request(c);
    }
    return size;
}

static void readable(Conn *c) {
    /* Most reads end with a frame: one buffer for all of them stays in the cache. */
    static char shared[1 << 18];
    int whole = !c->have && c->state > UPGRADING && mode != HTTP;
    if (c->room - c->have < 2048) c->in = realloc(c->in, c->room *= 2);
    char *in = whole ? shared : c->in;
    ssize_t got = recv(c->fd, in + c->have, whole ? sizeof shared : c->room - c->have, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        if (c->state != READY) die("connection %ld closed while it opened", (long)(c - conns));
        epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
        lost++;
        return;
    }
    uint64_t at = now();
    if (measuring) bytes += got, last_at = at;
    c->have += got;
    size_t used = 0;
    if (c->state == UPGRADING || mode == HTTP) used = take_answer(c, at);
    if (used) memmove(c->in, c->in + used, c->have -= used);
    if (c->state <= UPGRADING || mode == HTTP) return;
    used = take_frames(c, in, c->have, at);
    c->have -= used;
    if (c->have > c->room) c->in = realloc(c->in, c->room = 2 * c->have);
    if (whole || used) memmove(c->in, in + used, c->have);
}

static void event(Conn *c, uint32_t what) {
    if (what & EPOLLOUT) {
        watch(c, 0);
        if (c->state == CONNECTING) {
            c->state = UPGRADING;
            if (mode == HTTP) opened++, ready++, opened_at = now(), next_to_open < count ? open_one() : (void)0;
            send_request(c);
        } else {
            flush(c);
        }
    }
    if (what & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
}

/* Looks for a moment before it sleeps: to wake it costs the core of the server that sends, which a client on
 * another machine would not, and costs those most who send one by one. */
static void poll_once(int milliseconds) {
    struct epoll_event events[1024];
    int found = 0;
    for (uint64_t until = now() + SPIN_NS; !found && now() < until;) found = epoll_wait(poller, events, 1024, 0);
    if (!found) found = epoll_wait(poller, events, 1024, milliseconds);
    for (int i = 0; i < found; i++) event(events[i].data.ptr, events[i].events);
}

static void publish(uint64_t at) {
    if (rate > 0) {
        uint64_t due = (at - measured_from) / 1e9 * rate;
        for (; published < due; published++) send_message(&conns[published % publishers]);
    } else {
        while ((int64_t)(published * count - delivered) < (int64_t)window * count) send_message(&conns[published++ % publishers]);
    }
}

static void read_paths(const char *name) {
    FILE *file = fopen(name, "r");
    size_t size = 0;
    if (!file) die("%s: %s", name, strerror(errno));
    paths = calloc(count, sizeof *paths);
    for (int i = 0; i < count; i++) {
        if (getline(&paths[i], &size, file) < 0) die("%s has only %d lines", name, i);
        paths[i][strcspn(paths[i], "\n")] = 0;
        size = 0;
    }
    fclose(file);
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
    struct rlimit files = {count + 64, count + 64}, had;
    getrlimit(RLIMIT_NOFILE, &had);
    if (had.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files)) die("%d open files are not allowed", count);
    conns = calloc(count, sizeof *conns);
    poller = epoll_create1(0);

    started_at = now();
    for (int i = 0; i < at_once && i < count; i++) open_one();
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
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
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
    getrusage(RUSAGE_SELF, &after);
    double elapsed = (last_at - measured_from) / 1e9;
    double cpu = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) + (after.ru_stime.tv_sec - before.ru_stime.tv_sec)
               + (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("{\"connections\": %d, \"lost\": %d, \"connects_per_s\": %.0f, \"seconds\": %.3f, \"sent\": %llu, "
           "\"delivered\": %llu, \"expected\": %llu, \"answered\": %llu, \"counted\": %llu, "
           "\"deliveries_per_s\": %.0f, \"answers_per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
           "\"frames\": %llu, \"bytes\": %llu, \"load_cpu\": %.3f}\n",
           count, lost, connects, elapsed, (unsigned long long)published, (unsigned long long)delivered,
           (unsigned long long)(mode == FANOUT ? published * count : 0), (unsigned long long)answered,
           (unsigned long long)counted, elapsed > 0 ? delivered / elapsed : 0, elapsed > 0 ? answered / elapsed : 0,
           percentile(.5), percentile(.99), worst / 1e6, (unsigned long long)frames, (unsigned long long)bytes,
           elapsed > 0 ? cpu / elapsed : 0);
    return 0;
}
