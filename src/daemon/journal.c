/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "core/names.h"

#define TEXT_MAX 2048
#define FIELD_MAX 320
#define FIELDS_MAX 16
#define STACK_SIZE (128u * 1024)
#define STOP_PATIENCE_SEC 1

/* All of it, so that whoever speaks need not keep anything. */
struct line {
        int priority;
        char id[40];
        char text[TEXT_MAX];
        char fields[FIELDS_MAX][FIELD_MAX]; /* "NAME=value" */
        size_t n_fields;
};

static struct {
        pthread_mutex_t lock;
        pthread_cond_t wake; /* lines, or stop */
        pthread_cond_t idle; /* the thread has ended */
        bool started, stop, ended;
        struct line lines[JOURNAL_WAITING_MAX];
        size_t head, n;
        unsigned lost;
} waiting = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER };

/* systemd.exec(5): $JOURNAL_STREAM names the device and inode of a stream that leads to the journal. */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uintmax_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) >= 0 &&
               st.st_dev == device && st.st_ino == inode;
}

static bool send_structured(const struct line *l) {
        char message[TEXT_MAX + sizeof("MESSAGE=")], level[sizeof("PRIORITY=") + 4], id[sizeof(l->id) + sizeof("MESSAGE_ID=")];
        struct iovec iov[FIELDS_MAX + 4];
        int n = 0;

        snprintf(message, sizeof(message), "MESSAGE=%s", l->text);
        snprintf(level, sizeof(level), "PRIORITY=%d", l->priority);
        snprintf(id, sizeof(id), "MESSAGE_ID=%s", l->id);
        iov[n++] = (struct iovec) { message, strlen(message) };
        iov[n++] = (struct iovec) { level, strlen(level) };
        iov[n++] = (struct iovec) { id, strlen(id) };
        iov[n++] = (struct iovec) { (char *) "SYSLOG_IDENTIFIER=memhpd", strlen("SYSLOG_IDENTIFIER=memhpd") };
        for (size_t i = 0; i < l->n_fields; i++)
                iov[n++] = (struct iovec) { (char *) l->fields[i], strlen(l->fields[i]) };
        return sd_journal_sendv(iov, n) >= 0;
}

static void send_line(const struct line *l) {
        static int to_journal = -1;

        if (to_journal < 0)
                to_journal = stderr_is_journal();
        if (!to_journal || !send_structured(l))
                dprintf(STDERR_FILENO, "memhpd: %s\n", l->text);
}

static void _printf_(6, 0) compose(struct line *l, int priority, const char *message_id, const struct journal_field *fields, size_t n_fields,
                    const char *format, va_list ap) {
        l->priority = priority;
        snprintf(l->id, sizeof(l->id), "%s", message_id);
        vsnprintf(l->text, sizeof(l->text), format, ap);
        l->n_fields = 0;
        for (size_t i = 0; i < n_fields && l->n_fields < FIELDS_MAX; i++)
                if (fields[i].value)
                        snprintf(l->fields[l->n_fields++], FIELD_MAX, "%s=%s", fields[i].name, fields[i].value);
}

static struct line *push_line(void) {
        return &waiting.lines[(waiting.head + waiting.n++) % JOURNAL_WAITING_MAX];
}

/* In the place of those that were lost. */
static void push_note(void) {
        struct line *l = push_line();

        *l = (struct line) { .priority = LOG_WARNING, .id = MESSAGE_WARNING };
        snprintf(l->text, sizeof(l->text), "%u messages were lost: nobody took them in time", waiting.lost);
        waiting.lost = 0;
}

void journal_send(int priority, const char *message_id, const struct journal_field *fields, size_t n_fields,
                  const char *format, ...) {
        struct line line;
        bool started;
        va_list ap;

        va_start(ap, format);
        pthread_mutex_lock(&waiting.lock);
        started = waiting.started;
        if (started && waiting.lost > 0 && waiting.n < JOURNAL_WAITING_MAX - 1)
                push_note();
        if (started && (waiting.lost > 0 || waiting.n == JOURNAL_WAITING_MAX))
                waiting.lost++;
        else if (started) {
                compose(push_line(), priority, message_id, fields, n_fields, format, ap);
                pthread_cond_signal(&waiting.wake);
        }
        pthread_mutex_unlock(&waiting.lock);
        if (!started) {
                compose(&line, priority, message_id, fields, n_fields, format, ap);
                send_line(&line);
        }
        va_end(ap);
}

static bool take_line(struct line *ret) {
        if (waiting.n == 0 && waiting.lost > 0)
                push_note();
        if (waiting.n == 0)
                return false;
        *ret = waiting.lines[waiting.head];
        waiting.head = (waiting.head + 1) % JOURNAL_WAITING_MAX;
        waiting.n--;
        return true;
}

static void *journal_thread(void *userdata) {
        static struct line line;

        (void) userdata;
        pthread_mutex_lock(&waiting.lock);
        for (;;) {
                if (take_line(&line)) {
                        pthread_mutex_unlock(&waiting.lock);
                        send_line(&line);
                        pthread_mutex_lock(&waiting.lock);
                } else if (waiting.stop)
                        break;
                else
                        pthread_cond_wait(&waiting.wake, &waiting.lock);
        }
        waiting.ended = true;
        pthread_cond_signal(&waiting.idle);
        pthread_mutex_unlock(&waiting.lock);
        return NULL;
}

/* However the clock is set meanwhile. */
static void make_idle(void) {
        pthread_condattr_t monotonic;

        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&waiting.idle, &monotonic);
        pthread_condattr_destroy(&monotonic);
}

int journal_start(void) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        int r;

        (void) pthread_once(&once, make_idle);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_attr_init(&attributes);
        (void) pthread_attr_setstacksize(&attributes, STACK_SIZE);
        (void) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED); /* it may never end */
        waiting.stop = waiting.ended = false;
        r = pthread_create(&thread, &attributes, journal_thread, NULL);
        pthread_attr_destroy(&attributes);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        waiting.started = r == 0;
        return -r;
}

void journal_stop(void) {
        struct timespec deadline;

        pthread_mutex_lock(&waiting.lock);
        waiting.stop = true;
        pthread_cond_signal(&waiting.wake);
        clock_gettime(CLOCK_MONOTONIC, &deadline);
        deadline.tv_sec += STOP_PATIENCE_SEC;
        while (waiting.started && !waiting.ended &&
               pthread_cond_timedwait(&waiting.idle, &waiting.lock, &deadline) == 0)
                ;
        waiting.started = waiting.started && !waiting.ended; /* who is stuck stays so, and what else is said is lost with it */
        pthread_mutex_unlock(&waiting.lock);
}
