/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Memory block events straight from the kernel (libudev's "kernel" source: needs no udevd and does not wait for it). The
 * only user of libudev. Nothing of an event's payload is trusted or used but the action and the block number: whoever
 * gets an event reads sysfs. */

#include <stddef.h>
#include <stdint.h>

#include "core/macro.h"

enum uevent_type {
        UEVENT_ADD,
        UEVENT_REMOVE,
        UEVENT_CHANGED,  /* online, offline or change: the state may be another */
        UEVENT_OVERFLOW, /* the socket's queue was full: events are lost, only a rescan tells which; block is 0 */
        _UEVENT_TYPE_MAX,
        _UEVENT_TYPE_INVALID = -22,
};

struct uevent {
        enum uevent_type type;
        uint32_t block;
};

/* "add", "memory32"; either may be NULL. False: it is about no memory block. */
bool uevent_translate(const char *action, const char *name, struct uevent *ret);

struct uevent_monitor;

/* Receives from the moment it returns: create it before the first scan. fd: a socket for the kernel's uevents that somebody
 * else bound, which then belongs to the monitor in any case; negative: one of its own. receive_buffer: bytes to ask for. */
int uevent_monitor_new(int fd, size_t receive_buffer, struct uevent_monitor **ret);
void uevent_monitor_free(struct uevent_monitor *m);
DEFINE_CLEANUP(struct uevent_monitor, uevent_monitor_free)

int uevent_monitor_fd(const struct uevent_monitor *m) _pure_;
/* The receive buffer that the kernel granted, in bytes of its own accounting (832 a memory event on 64-bit). */
size_t uevent_monitor_receive_buffer(const struct uevent_monitor *m);

/* Somebody has the kernel send an event about this block now (sysfs_request_uevent()): does it come? Events before it are
 * dropped. 0 · -ETIMEDOUT: it does not · other negative errno as of uevent_receive(). */
int uevent_monitor_expect(struct uevent_monitor *m, uint32_t block, int timeout_msec);

/* 1: an event · 0: none waits · negative errno: the socket is broken. */
int uevent_receive(struct uevent_monitor *m, struct uevent *ret);
