/* fanout: the least that a server can do, in C: every text message goes to everybody. One thread, epoll.
 *
 * All that is published during a turn of the loop is framed once, joined, and leaves in one send per
 * connection. No storage, no checks, no slow readers' buffers beyond the kernel's. Prints its port.
 *
 *   gcc -O2 -o fanout fanout.c -lcrypto
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
    int fd, upgraded;
    size_t have, left, left_room;
    uint8_t *left_over;
    uint8_t in[16384];
} Conn;

static Conn *open_conns[65536];
static int open_count, poller;
static uint8_t turn[8 << 20];
static size_t turn_size;

static void base64(const uint8_t *in, int size, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < size; i += 3) {
        int left = size - i;
        uint32_t v = in[i] << 16 | (left > 1 ? in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[v & 63] : '=';
    }
    *out = 0;
}

static void watch(Conn *c, int writing) {
    struct epoll_event event = {EPOLLIN | (writing ? EPOLLOUT : 0), {.ptr = c}};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static void drop(Conn *c) {
    for (int i = 0; i < open_count; i++)
        if (open_conns[i] == c) open_conns[i] = open_conns[--open_count];
    close(c->fd);
    free(c->left_over);
    free(c);
}

static void keep(Conn *c, const uint8_t *data, size_t size) {
    if (c->left + size > c->left_room) c->left_over = realloc(c->left_over, c->left_room = c->left + size);
    memcpy(c->left_over + c->left, data, size);
    c->left += size;
}

static void write_to(Conn *c, const uint8_t *data, size_t size) {
    if (!c->left) {
        ssize_t sent = send(c->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0) sent = 0;
        if ((size_t)sent == size) return;
        keep(c, data + sent, size - sent);
        watch(c, 1);
    } else {
        keep(c, data, size);
    }
}

static void publish(const uint8_t *text, size_t size) {
    uint8_t *p = turn + turn_size;
    *p++ = 0x81;
    if (size < 126) {
        *p++ = size;
    } else {
        *p++ = 126;
        *p++ = size >> 8;
        *p++ = size & 255;
    }
    memcpy(p, text, size);
    turn_size = p + size - turn;
}

static size_t upgrade(Conn *c) {
    c->in[c->have] = 0;
    char *end = strstr((char *)c->in, "\r\n\r\n"), *key = strcasestr((char *)c->in, "sec-websocket-key: ");
    if (!end || !key) return 0;
    char joined[128], accept[40], answer[256];
    uint8_t digest[20];
    snprintf(joined, sizeof joined, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
    SHA1((uint8_t *)joined, strlen(joined), digest);
    base64(digest, 20, accept);
    int size = sprintf(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    write_to(c, (uint8_t *)answer, size);
    c->upgraded = 1;
    open_conns[open_count++] = c;
    return end + 4 - (char *)c->in;
}

/* Takes complete frames; 0 if the connection is over. */
static int serve(Conn *c) {
    size_t used = c->upgraded ? 0 : upgrade(c);
    while (c->upgraded && c->have - used >= 6) {
        uint8_t *p = c->in + used;
        size_t head = 6, size = p[1] & 127;
        if (size == 126) size = p[2] << 8 | p[3], head = 8;
        if (c->have - used < head + size) break;
        if ((p[0] & 15) == 8) return 0;
        uint8_t *mask = p + head - 4, *text = p + head;
        for (size_t i = 0; i < size; i++) text[i] ^= mask[i & 3];
        publish(text, size);
        used += head + size;
    }
    memmove(c->in, c->in + used, c->have -= used);
    return 1;
}

int main(void) {
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    if (bind(listening, (void *)&at, sizeof at) || listen(listening, 1024)) return perror("listen"), 1;
    getsockname(listening, (void *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    poller = epoll_create1(0);
    struct epoll_event events[1024], first = {EPOLLIN, {.ptr = NULL}};
    epoll_ctl(poller, EPOLL_CTL_ADD, listening, &first);
    for (;;) {
        int found = epoll_wait(poller, events, 1024, -1);
        for (int i = 0; i < found; i++) {
            Conn *c = events[i].data.ptr;
            if (!c) {
                int fd;
                while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                    c = calloc(1, sizeof *c);
                    c->fd = fd;
                    struct epoll_event event = {EPOLLIN, {.ptr = c}};
                    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
                }
                continue;
            }
            if (events[i].events & EPOLLOUT && c->left) {
                ssize_t sent = send(c->fd, c->left_over, c->left, MSG_NOSIGNAL);
                if (sent > 0) memmove(c->left_over, c->left_over + sent, c->left -= sent);
                if (!c->left) watch(c, 0);
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                ssize_t got = recv(c->fd, c->in + c->have, sizeof c->in - 1 - c->have, 0);
                if (got < 0 && errno == EAGAIN) continue;
                if (got > 0) c->have += got;
                if (got <= 0 || !serve(c)) drop(c);
            }
        }
        for (int i = 0; i < open_count && turn_size; i++) write_to(open_conns[i], turn, turn_size);
        turn_size = 0;
    }
}
