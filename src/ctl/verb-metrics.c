/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "memhp-build.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/metrics.h"
#include "ctl/openmetrics.h"
#include "ctl/statistics.h"
#include "ctl/stats-get.h"
#include "ctl/verb.h"

/* ---- what is to be told ------------------------------------------------------------------------------------------- */

struct sources {
        json_t *stats, *status; /* status: NULL, no daemon answers */
        struct zoneinfo zones;
        struct buddyinfo buddy; /* without zones: it is not for this user */
};

static void sources_done(struct sources *s) {
        json_decref(s->stats);
        json_decref(s->status);
        zoneinfo_done(&s->zones);
        buddyinfo_done(&s->buddy);
}

static enum status ask_daemon(const struct options *o, struct sources *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(client_closep) struct client *c = NULL;
        enum status status;

        if (o->config || !client_try_open(o, &c))
                return stats_get(o, &s->stats);
        status = stats_get_from(c, &s->stats);
        if (status == STATUS_DONE)
                status = client_call(c, NULL, NULL, "GetStatus", &reply, "");
        if (status == STATUS_DONE)
                s->status = client_read_json(reply);
        return status;
}

static enum status read_kernel(const struct options *o, struct sources *s) {
        _cleanup_(statistics_done) struct statistics text = {};
        enum status status;
        unsigned line = 0;
        int r;

        status = statistics_open(&text, o, NULL);
        if (status == STATUS_DONE)
                status = statistics_read(&text, SYSFS_ZONEINFO);
        if (status != STATUS_DONE)
                return status;
        r = zoneinfo_parse_take(&text.text, text.size, &s->zones, &line);
        if (r < 0)
                return statistics_malformed(r, SYSFS_ZONEINFO, line);
        free(TAKE_PTR(text.text));
        if (sysfs_read_text(text.fs, SYSFS_BUDDYINFO, &text.text, &text.size) < 0)
                return STATUS_DONE;
        r = buddyinfo_parse(text.text, text.size, &s->buddy, &line);
        return r < 0 ? statistics_malformed(r, SYSFS_BUDDYINFO, line) : STATUS_DONE;
}

static void put_all(FILE *f, const struct sources *s) {
        metrics_put_daemon(f, PACKAGE_VERSION, s->status);
        metrics_put_stats(f, s->stats);
        metrics_put_zones(f, &s->zones, json_get_unsigned(s->stats, "page_size"));
        if (s->buddy.n_zones)
                metrics_put_buddy(f, &s->buddy);
        openmetrics_end(f);
}

/* ---- where it goes ------------------------------------------------------------------------------------------------ */

static enum status complain_file(const char *path, int error) {
        complain("%s: cannot be written: %s", path, strerror(error));
        return STATUS_FAILED;
}

/* Whoever reads sees the text before or the whole of this one. Its name does not end as the other's while it is written:
 * collectors take whatever does. */
static enum status write_file(const char *path, const char *text, size_t size) {
        _cleanup_free_ char *temporary = format_text("%s.XXXXXX", path);
        _cleanup_close_ int fd = mkostemp(temporary, O_CLOEXEC);
        int error = 0;

        if (fd < 0)
                return complain_file(path, errno);
        for (size_t done = 0; done < size && !error;) {
                ssize_t n = write(fd, text + done, size - done);

                if (n < 0 && errno != EINTR)
                        error = errno;
                else if (n > 0)
                        done += (size_t) n;
        }
        if (!error && (fchmod(fd, 0644) < 0 || rename(temporary, path) < 0))
                error = errno;
        if (!error)
                return STATUS_DONE;
        (void) unlink(temporary);
        return complain_file(path, error);
}

enum status verb_metrics(const struct options *o, char *const *args) {
        _cleanup_(sources_done) struct sources s = {};
        struct options quiet = *o;
        _cleanup_free_ char *text = NULL;
        enum status status;
        size_t size;
        FILE *f;

        (void) args;
        quiet.json = true; /* programs read it: no hints for people */
        status = ask_daemon(&quiet, &s);
        if (status == STATUS_DONE)
                status = read_kernel(&quiet, &s);
        if (status != STATUS_DONE)
                return status;
        f = open_memstream(&text, &size);
        if (!f)
                out_of_memory();
        put_all(f, &s);
        if (fclose(f) != 0)
                out_of_memory();
        if (o->to)
                return write_file(o->to, text, size);
        fwrite(text, 1, size, stdout);
        return STATUS_DONE;
}
