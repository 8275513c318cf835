/* client.h: connections for the programs of the benchmarks. One thread, epoll, the client's half of WebSocket,
 * latencies in buckets, templates' paths. load.c and walkers.c include it and define what is declared last.
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

enum { CLOSED, CONNECTING, UPGRADING, OPENING, JOINING, READY };

typedef struct {
    int fd, state;
    unsigned step;
    uint64_t sent_at;
    char *in, *out;
    size_t have, room, left, out_room;
} Conn;

#define BUCKETS 2400 /* of latency: each 1 % wider than the one before, from 1 µs */
#define SPIN_NS 50000

typedef struct {
    uint64_t buckets[BUCKETS], worst;
} Latencies;

static int port = 8000, count = 100, at_once = 32, poller, opened, ready, next_to_open, measuring, lost;
static const char *path = "/", *header;
static char **paths;
static Conn *conns;
static uint64_t frames, bytes, last_at, spun;

/* The program's own: a connection that stands, the head of an answer (how much of the input it used, 0 if it
 * is not all there), a message (text or binary). */
static void is_connected(Conn *c);
static size_t take_head(Conn *c, uint64_t at);
static void message(Conn *c, int opcode, const char *data, size_t size, uint64_t at);

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

static void record(Latencies *all, uint64_t ns) {
    double us = ns / 1000.0;
    int bucket = us <= 1 ? 0 : (int)(log(us) / log(1.01));
    all->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    if (ns > all->worst) all->worst = ns;
}

static double percentile(const Latencies *of, double share) {
    uint64_t all = 0, sum = 0;
    for (int i = 0; i < BUCKETS; i++) all += of->buckets[i];
    for (int i = 0; i < BUCKETS; i++)
        if ((sum += of->buckets[i]) && sum >= share * all) return pow(1.01, i) / 1000;
    return 0;
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int holds(const char *text, size_t size, const char *what) {
    return what && memmem(text, size, what, strlen(what)) != NULL;
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

static void send_request(Conn *c, const char *upgrade) {
    char text[8192];
    int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s\r\n",
                        paths ? paths[c - conns] : path, port, upgrade, header ? header : "", header ? "\r\n" : "");
    c->sent_at = now();
    put(c, text, size);
    flush(c);
}

static void send_upgrade(Conn *c) {
    send_request(c, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
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
        if (opcode == 1 || opcode == 2) message(c, opcode, (char *)p + head, size, at);
        else if (opcode == 9) send_frame(c, 10, (char *)p + head, size);
        else if (opcode == 8 && !lost++)
            fprintf(stderr, "closed with %d %.*s\n", size > 1 ? p[head] << 8 | p[head + 1] : 0,
                    (int)(size > 2 ? size - 2 : 0), p + head + 2);
        used += head + size;
    }
}

static void readable(Conn *c) {
    /* Most reads end with a frame: one buffer for all of them stays in the cache. */
    static char shared[1 << 18];
    int whole = !c->have && c->state > UPGRADING;
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
    if (c->state == UPGRADING) used = take_head(c, at);
    if (used) memmove(c->in, c->in + used, c->have -= used);
    if (c->state <= UPGRADING) return;
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
            is_connected(c);
        } else {
            flush(c);
        }
    }
    if (what & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
}

/* Looks for a moment before it sleeps: to wake it costs the core of the server that sends, which a client on
 * another machine would not, and costs those most who send one by one. `spun` is the time of looks in vain. */
static void poll_once(int milliseconds) {
    struct epoll_event events[1024];
    int found = 0;
    uint64_t from = now(), at = from;
    for (; !found && at < from + SPIN_NS; at = now()) found = epoll_wait(poller, events, 1024, 0);
    if (!found) spun += at - from;
    if (!found) found = epoll_wait(poller, events, 1024, milliseconds);
    for (int i = 0; i < found; i++) event(events[i].data.ptr, events[i].events);
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

/* Begins to open all of them. */
static void open_all(void) {
    struct rlimit files = {count + 64, count + 64}, had;
    getrlimit(RLIMIT_NOFILE, &had);
    if (had.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files)) die("%d open files are not allowed", count);
    conns = calloc(count, sizeof *conns);
    poller = epoll_create1(0);
    for (int i = 0; i < at_once && i < count; i++) open_one();
}
