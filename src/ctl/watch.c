/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>

#include "core/parse.h"

#define INTERVAL_USEC UINT64_C(2000000)
#define INTERVAL_MIN_USEC UINT64_C(100000)
#define INTERVAL_MAX_USEC UINT64_C(86400000000)

/* A screen of its own, without a cursor, and lines that are too long are cut: what xterm and all that came after understand. */
#define ENTER_SCREEN "\033[?1049h\033[?25l\033[?7l"
#define LEAVE_SCREEN "\033[?7h\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_REST "\033[J"

struct frame {
        char *text, *complaints;
        enum status status;
};

struct watch {
        const struct options *options;
        watch_function print;
        void *userdata;
        uint64_t interval_usec;
        bool terminal;
        int signal_fd;
        struct frame frame;
        char heading[64];
};

static uint64_t now_usec(clockid_t clock) {
        struct timespec t;

        clock_gettime(clock, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

/* ---- what is printed ---------------------------------------------------------------------------------------------- */

static void frame_done(struct frame *f) {
        free(f->text);
        free(f->complaints);
        *f = (struct frame) {};
}

static FILE *open_text(char **ret, size_t *ret_size) {
        FILE *f = open_memstream(ret, ret_size);

        if (!f)
                out_of_memory();
        return f;
}

/* The verb prints as ever, to memory: glibc's stdout and stderr are variables. */
static void take_frame(struct watch *w, double seconds) {
        FILE *real_out = stdout, *real_err = stderr;
        size_t size, complaints_size;
        struct frame f = {};

        if (w->terminal)
                output_init(); /* it may have another width by now */
        stdout = open_text(&f.text, &size);
        stderr = open_text(&f.complaints, &complaints_size);
        f.status = w->print(w->userdata, seconds);
        if (fclose(stdout) != 0 || fclose(stderr) != 0)
                f.status = STATUS_FAILED;
        stdout = real_out;
        stderr = real_err;
        frame_done(&w->frame);
        w->frame = f;
}

static void describe_time(struct watch *w) {
        time_t now = time(NULL);
        struct tm tm;

        if (localtime_r(&now, &tm))
                strftime(w->heading, sizeof(w->heading), "%Y-%m-%d %H:%M:%S", &tm);
}

static unsigned count_lines(const char *p) {
        unsigned n = 0;

        while (*p)
                n += *p++ == '\n';
        return n;
}

/* The lines of a text into at most so many rows; no newline after the last one, which would scroll. */
static unsigned put_lines(const char *p, unsigned rows) {
        unsigned row = 0, n = count_lines(p);

        for (; row < rows && *p; row++) {
                size_t length = strcspn(p, "\n");

                if (row + 1 == rows && n > rows)
                        printf("\r\n(%u lines more)" CLEAR_LINE, n - row);
                else
                        printf("\r\n%.*s" CLEAR_LINE, (int) length, p);
                p += length + (p[length] == '\n');
        }
        return row;
}

static void draw(struct watch *w) {
        struct winsize size = {};
        unsigned rows = 24;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) >= 0 && size.ws_row > 0)
                rows = size.ws_row;
        printf(HOME "%s  memhpctl %s, every %g s" CLEAR_LINE, w->heading, w->options->verb, (double) w->interval_usec / 1e6);
        rows--;
        rows -= put_lines("\n", rows);
        rows -= put_lines(w->frame.text, rows);
        put_lines(w->frame.complaints, rows);
        fputs(CLEAR_REST, stdout);
        fflush(stdout);
}

static void append(struct watch *w, bool first) {
        if (!w->options->json && w->options->legend)
                printf("%s%s\n\n", first ? "" : "\n", w->heading);
        else if (!w->options->json && !first)
                putchar('\n');
        fputs(w->frame.text, stdout);
        fflush(stdout);
        fputs(w->frame.complaints, stderr);
}

/* ---- the terminal ------------------------------------------------------------------------------------------------- */

/* Whatever ends the program: no terminal stays without a cursor. */
static bool on_own_screen;

static void restore_screen(void) {
        if (on_own_screen && write(STDOUT_FILENO, LEAVE_SCREEN, strlen(LEAVE_SCREEN)) < 0)
                return;
}

static void enter(struct watch *w) {
        if (!w->terminal || on_own_screen)
                return;
        fputs(ENTER_SCREEN, stdout);
        on_own_screen = true;
}

static void leave(void) {
        if (!on_own_screen)
                return;
        fputs(LEAVE_SCREEN, stdout);
        fflush(stdout);
        on_own_screen = false;
}

/* ^Z: the shell gets its screen back; later, ours is drawn anew. */
static void stop(struct watch *w) {
        leave();
        raise(SIGSTOP);
        enter(w);
        if (w->terminal)
                draw(w);
}

/* What ends others ends us, once the terminal is as it was. */
static void die(int number) {
        sigset_t mask;

        leave();
        sigemptyset(&mask);
        sigaddset(&mask, number);
        signal(number, SIG_DFL);
        raise(number);
        sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

/* ---- the loop ----------------------------------------------------------------------------------------------------- */

/* false: somebody ended it. */
static bool handle_signal(struct watch *w) {
        struct signalfd_siginfo info;

        if (read(w->signal_fd, &info, sizeof(info)) != sizeof(info))
                return true;
        switch (info.ssi_signo) {
        case SIGINT:
                return false;
        case SIGWINCH:
                if (w->terminal)
                        draw(w);
                return true;
        case SIGTSTP:
                stop(w);
                return true;
        default:
                die((int) info.ssi_signo);
                return false;
        }
}

/* Until the time has come; false: it is over. */
static bool wait_until(struct watch *w, uint64_t when) {
        struct pollfd fds[] = {
                { .fd = w->signal_fd, .events = POLLIN },
                { .fd = STDOUT_FILENO, .events = 0 }, /* a pipe that nobody reads any more */
        };

        for (;;) {
                uint64_t now = now_usec(CLOCK_MONOTONIC), left = when > now ? when - now : 0;
                struct timespec timeout = { (time_t) (left / 1000000), (long) (left % 1000000 * 1000) };
                int r = ppoll(fds, ARRAY_SIZE(fds), &timeout, NULL);

                if (r == 0)
                        return true;
                if (r < 0 && errno != EINTR)
                        return false;
                if (r > 0 && fds[1].revents)
                        return false;
                if (r > 0 && fds[0].revents && !handle_signal(w))
                        return false;
        }
}

static enum status loop(struct watch *w) {
        uint64_t last = 0;

        do {
                uint64_t now = now_usec(CLOCK_MONOTONIC);

                take_frame(w, last ? (double) (now - last) / 1e6 : 0);
                if (w->frame.status != STATUS_DONE)
                        break;
                describe_time(w);
                enter(w);
                if (w->terminal)
                        draw(w);
                else
                        append(w, last == 0);
                if (ferror(stdout)) /* output_finish() says so */
                        break;
                last = now;
        } while (wait_until(w, last + w->interval_usec));
        leave();
        if (w->frame.status != STATUS_DONE)
                fputs(w->frame.complaints, stderr);
        return w->frame.status;
}

static int block_signals(void) {
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP };
        sigset_t mask;

        sigemptyset(&mask);
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                sigaddset(&mask, numbers[i]);
        sigprocmask(SIG_BLOCK, &mask, NULL);
        return signalfd(-1, &mask, SFD_CLOEXEC);
}

enum status watch_run(const struct options *o, watch_function print, void *userdata) {
        struct watch w = { .options = o, .print = print, .userdata = userdata, .interval_usec = INTERVAL_USEC };
        enum status s;

        if (!o->watch)
                return print(userdata, 0);
        if (*o->watch && (parse_time(o->watch, &w.interval_usec) < 0 || w.interval_usec < INTERVAL_MIN_USEC ||
                          w.interval_usec > INTERVAL_MAX_USEC)) {
                complain("--watch=%s: expected seconds, or a time such as 500ms or 1min, of 100ms at least", o->watch);
                return STATUS_USAGE;
        }
        w.terminal = output_is_terminal() && !output_is_dumb() && !o->json;
        w.signal_fd = block_signals();
        if (w.signal_fd < 0) {
                complain("--watch: %s", strerror(errno));
                return STATUS_FAILED;
        }
        if (w.terminal && atexit(restore_screen) != 0)
                out_of_memory();
        s = loop(&w);
        frame_done(&w.frame);
        close(w.signal_fd);
        return s;
}

void watch_print_json(const struct options *o, json_t *root) {
        if (!o->watch) {
                json_print(root);
                return;
        }
        json_set(root, "time_usec", json_unsigned(now_usec(CLOCK_REALTIME)));
        json_print_line(root);
}
