/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/apply.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "core/queue.h"
#include "host/memory.h"

/* States are opened so many blocks before their turn: the kernel gets one write right after the other. */
#define AHEAD 8
#define READ_TRIES 3
#define STACK_SIZE (256u * 1024) /* one system call deep */
#define STOP_PATIENCE_USEC 1000000
#define STOP_STEP_USEC 50000

struct item {
        struct apply_job job;
        int fd; /* of its state; negative: not open */
        /* Once it was written: */
        int error;
        uint64_t start_usec, write_usec;
};

struct apply {
        const struct sysfs *fs;
        pthread_t thread;
        bool started;
        pthread_mutex_t lock;
        pthread_cond_t wake; /* jobs, or stop */
        pthread_cond_t idle; /* the thread has ended */
        bool stop, ended;
        struct queue jobs, offline_jobs, written; /* struct item; a block is in them at most once, which bounds them by the number of blocks */
        size_t pending;
        const struct apply_job *current; /* at the kernel; NULL: none */
        uint64_t current_since;
        bool unwanted; /* its result */
        bool preempted; /* it has its turn again */
        char whole[sizeof(((struct apply_job *) 0)->dax)]; /* the dax device last brought online as a whole, or being so */
        int event_fd;
};

static uint64_t now_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

static void set_whole(struct apply *a, const char *dax) {
        pthread_mutex_lock(&a->lock);
        snprintf(a->whole, sizeof(a->whole), "%s", dax);
        pthread_mutex_unlock(&a->lock);
}

/* Has another come in the place of the block that was meant? Who cannot be seen now is not another for that. */
static bool is_replaced(const struct apply *a, const struct apply_job *job) {
        uint64_t identity;

        return job->identity && sysfs_read_identity(a->fs, job->block, &identity) >= 0 && identity != job->identity;
}

static int write_job(struct apply *a, const struct apply_job *job, int *fd) {
        const char *word = action_to_state(job->action) ?: "offline";
        const struct sysfs *fs = a->fs;
        struct block b;

        /* The first block of a dax device brings all of them online; for the others there is nothing left to do. */
        if (job->dax[0] && job->action != ACTION_LEAVE_OFFLINE) {
                if (is_replaced(a, job))
                        return -ESTALE;
                set_whole(a, job->dax); /* before: others look at its blocks meanwhile */
                if (sysfs_write_dax_state(fs, job->dax, word) >= 0 && sysfs_read_block_zones(fs, job->block, &b) >= 0 &&
                    b.state == BLOCK_ONLINE)
                        return 0;
                set_whole(a, "");
        }
        if (*fd < 0)
                *fd = sysfs_open_state(fs, job->block, job->identity);
        return *fd < 0 ? *fd : sysfs_write_state(fs, job->block, *fd, word);
}

/* Nothing but the write: to close the file and to read back is left to whoever takes the result, while the next block is at
 * the kernel. */
static void write_item(struct apply *a, struct item *item) {
        item->start_usec = now_usec();
        item->error = write_job(a, &item->job, &item->fd);
        item->write_usec = now_usec() - item->start_usec;
}

/* How the block is now, and whether that is what was wanted. What cannot be read for a moment is tried again at once. */
static void read_back(const struct apply *a, const struct item *item, struct apply_result *ret) {
        struct block after = { .state = BLOCK_STATE_OTHER };
        const struct block *found;
        int r = -EIO;

        for (int i = 0; i < READ_TRIES && r < 0 && r != -ENOENT; i++)
                r = sysfs_read_block_zones(a->fs, item->job.block, &after);
        /* After it, so that what was read is known to be of this block. */
        found = r == -ENOENT || is_replaced(a, &item->job) ? NULL : &after;
        *ret = (struct apply_result) {
                .block = item->job.block,
                .job = item->job.job,
                .action = item->job.action,
                .outcome = item->job.action == ACTION_LEAVE_OFFLINE ? outcome_judge_offline(item->error, found)
                                                                    : outcome_judge(item->job.action, item->error, found),
                .error = item->error,
                .state = after.state,
                .zones_known = after.zones_known,
                .zones = after.zones,
                .start_usec = item->start_usec,
                .write_usec = item->write_usec,
        };
}

static void *apply_thread(void *userdata) {
        struct apply *a = userdata;
        struct item item;

        memory_touch_stack();
        pthread_mutex_lock(&a->lock);
        for (;;) {
                while (!a->stop && a->jobs.n == 0 && a->offline_jobs.n == 0)
                        pthread_cond_wait(&a->wake, &a->lock);
                /* Memory that is to be used goes before memory that is given back, which may take long. */
                if (a->stop || !(queue_pop(&a->jobs, &item) || queue_pop(&a->offline_jobs, &item)))
                        break;
                a->current = &item.job;
                a->current_since = now_usec();
                a->unwanted = a->preempted = false;
                pthread_mutex_unlock(&a->lock);

                write_item(a, &item);

                pthread_mutex_lock(&a->lock);
                a->current = NULL;
                if (a->unwanted) {
                        closep(&item.fd);
                        continue;
                }
                if (a->preempted && item.error == -EINTR && !a->stop) {
                        queue_push(&a->offline_jobs, &item); /* room was reserved for it, too */
                        continue;
                }
                queue_push(&a->written, &item); /* room was reserved when the job was submitted */
                if (a->written.n == 1)
                        (void) eventfd_write(a->event_fd, 1);
        }
        a->ended = true;
        pthread_cond_signal(&a->idle);
        pthread_mutex_unlock(&a->lock);
        return NULL;
}

static void on_interrupt(int sig) {
        (void) sig; /* all it does is to end a system call with EINTR */
}

int apply_new(const struct sysfs *fs, struct apply **ret) {
        struct sigaction action = { .sa_handler = on_interrupt };
        _cleanup_(apply_freep) struct apply *a = NULL;
        sigset_t all, before;
        pthread_condattr_t monotonic;
        pthread_attr_t attributes;
        int r;

        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        a->fs = fs;
        a->jobs.item_size = a->offline_jobs.item_size = a->written.item_size = sizeof(struct item);
        pthread_mutex_init(&a->lock, NULL);
        pthread_cond_init(&a->wake, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&a->idle, &monotonic);
        pthread_condattr_destroy(&monotonic);
        a->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (a->event_fd < 0)
                return -errno;
        if (sigaction(SIGUSR2, &action, NULL) < 0)
                return -errno;

        sigfillset(&all);
        sigdelset(&all, SIGUSR2);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_attr_init(&attributes);
        (void) pthread_attr_setstacksize(&attributes, STACK_SIZE);
        r = pthread_create(&a->thread, &attributes, apply_thread, a);
        pthread_attr_destroy(&attributes);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return -r;
        a->started = true;
        *ret = TAKE_PTR(a);
        return 0;
}

/* False: it took too long. */
static bool wait_until_ended(struct apply *a, uint64_t usec) {
        uint64_t end = now_usec() + usec;
        const struct timespec deadline = { .tv_sec = (time_t) (end / 1000000), .tv_nsec = (long) (end % 1000000) * 1000 };

        while (!a->ended)
                if (pthread_cond_timedwait(&a->idle, &a->lock, &deadline) != 0)
                        break;
        return a->ended;
}

static void stop_thread(struct apply *a) {
        pthread_mutex_lock(&a->lock);
        a->stop = true;
        pthread_cond_signal(&a->wake);
        if (!wait_until_ended(a, STOP_PATIENCE_USEC))
                do /* a signal may come just before the system call it is meant for: repeat it */
                        pthread_kill(a->thread, SIGUSR2);
                while (!wait_until_ended(a, STOP_STEP_USEC));
        pthread_mutex_unlock(&a->lock);
        pthread_join(a->thread, NULL);
}

static void close_all(struct queue *q) {
        struct item item;

        while (queue_pop(q, &item))
                closep(&item.fd);
        queue_done(q);
}

void apply_free(struct apply *a) {
        if (!a)
                return;
        if (a->started)
                stop_thread(a);
        close_all(&a->jobs);
        close_all(&a->offline_jobs);
        close_all(&a->written);
        closep(&a->event_fd);
        pthread_cond_destroy(&a->wake);
        pthread_cond_destroy(&a->idle);
        pthread_mutex_destroy(&a->lock);
        free(a);
}

int apply_fd(const struct apply *a) {
        return a->event_fd;
}

int apply_reserve(struct apply *a, size_t n) {
        int r;

        pthread_mutex_lock(&a->lock);
        r = queue_reserve(&a->jobs, n);
        if (r >= 0)
                r = queue_reserve(&a->written, n);
        pthread_mutex_unlock(&a->lock);
        return r;
}

static struct item *find_queued(struct apply *a, uint32_t block) {
        struct item *item;

        for (size_t i = 0; i < AHEAD && (item = queue_nth(&a->jobs, i)); i++)
                if (item->job.block == block)
                        return item;
        return NULL;
}

/* The next job whose state is not open; false: there is none among those whose turn is near. */
static bool find_closed(struct apply *a, uint32_t *ret, uint64_t *ret_identity) {
        const struct item *item;
        bool found = false;

        pthread_mutex_lock(&a->lock);
        for (size_t i = 0; !found && i < AHEAD && (item = queue_nth(&a->jobs, i)); i++) {
                found = item->fd < 0 && !item->job.dax[0];
                *ret = item->job.block;
                *ret_identity = item->job.identity;
        }
        pthread_mutex_unlock(&a->lock);
        return found;
}

/* Not with the lock held: the writer would wait for it. */
static void open_ahead(struct apply *a) {
        uint64_t identity;
        uint32_t block;

        while (find_closed(a, &block, &identity)) {
                _cleanup_close_ int fd = sysfs_open_state(a->fs, block, identity);
                struct item *item;

                if (fd < 0)
                        return; /* the writer will see why */
                pthread_mutex_lock(&a->lock);
                item = find_queued(a, block);
                if (item && item->fd < 0)
                        item->fd = TAKE_FD(fd);
                pthread_mutex_unlock(&a->lock);
        }
}

int apply_submit(struct apply *a, const struct apply_job *job) {
        const struct item item = { .job = *job, .fd = -1 };
        struct queue *jobs = job->action == ACTION_LEAVE_OFFLINE ? &a->offline_jobs : &a->jobs;
        int r;

        pthread_mutex_lock(&a->lock);
        r = queue_reserve(jobs, jobs->n + 2); /* the one at the kernel may come back */
        if (r >= 0)
                r = queue_reserve(&a->written, a->pending + 1);
        if (r >= 0) {
                queue_push(jobs, &item);
                a->pending++;
                pthread_cond_signal(&a->wake);
        }
        pthread_mutex_unlock(&a->lock);
        if (r >= 0)
                open_ahead(a);
        return r;
}

static size_t drop_block(struct queue *q, uint32_t block) {
        size_t n = q->n;
        struct item item;

        for (size_t i = n; i > 0; i--)
                if (queue_pop(q, &item)) {
                        if (item.job.block != block)
                                queue_push(q, &item);
                        else
                                closep(&item.fd);
                }
        return n - q->n;
}

void apply_cancel(struct apply *a, uint32_t block) {
        eventfd_t value;

        pthread_mutex_lock(&a->lock);
        a->pending -= drop_block(&a->jobs, block) + drop_block(&a->offline_jobs, block) + drop_block(&a->written, block);
        if (a->current && a->current->block == block) {
                a->pending -= !a->unwanted;
                a->unwanted = true;
        }
        if (a->written.n == 0)
                (void) eventfd_read(a->event_fd, &value);
        pthread_mutex_unlock(&a->lock);
}

bool apply_current(struct apply *a, struct apply_job *ret, uint64_t *ret_since_usec) {
        bool busy;

        pthread_mutex_lock(&a->lock);
        busy = a->current != NULL;
        if (busy) {
                *ret = *a->current;
                *ret_since_usec = a->current_since;
        }
        pthread_mutex_unlock(&a->lock);
        return busy;
}

bool apply_brings_whole(struct apply *a, const char *dax) {
        bool whole;

        pthread_mutex_lock(&a->lock);
        whole = dax[0] && strcmp(a->whole, dax) == 0;
        pthread_mutex_unlock(&a->lock);
        return whole;
}

void apply_interrupt(struct apply *a) {
        pthread_mutex_lock(&a->lock);
        if (a->current)
                pthread_kill(a->thread, SIGUSR2);
        pthread_mutex_unlock(&a->lock);
}

bool apply_preempt(struct apply *a) {
        bool waits;

        pthread_mutex_lock(&a->lock);
        waits = a->current && a->current->action == ACTION_LEAVE_OFFLINE && a->jobs.n > 0;
        if (waits) {
                a->preempted = true;
                pthread_kill(a->thread, SIGUSR2);
        }
        pthread_mutex_unlock(&a->lock);
        return waits;
}

size_t apply_pending(struct apply *a) {
        size_t n;

        pthread_mutex_lock(&a->lock);
        n = a->pending;
        pthread_mutex_unlock(&a->lock);
        return n;
}

bool apply_take(struct apply *a, struct apply_result *ret) {
        struct item item;
        eventfd_t value;
        bool taken;

        pthread_mutex_lock(&a->lock);
        taken = queue_pop(&a->written, &item);
        if (taken)
                a->pending--;
        if (a->written.n == 0)
                (void) eventfd_read(a->event_fd, &value);
        pthread_mutex_unlock(&a->lock);
        if (!taken)
                return false;
        open_ahead(a);
        closep(&item.fd);
        read_back(a, &item, ret);
        return true;
}
