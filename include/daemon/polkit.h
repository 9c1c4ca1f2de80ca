/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* May the sender of this call do that? Asked of the bus (root may do everything) and of polkit, without ever waiting for
 * either: a bus or a polkit that hangs keeps nobody from bringing memory online. What waits is bounded, whoever calls. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "core/macro.h"

#define POLKIT_SENDER_MAX 8   /* checks of one sender that wait */
#define POLKIT_USER_MAX 32    /* of one user, by all senders, that wait for polkit: the others are not kept out */
#define POLKIT_ASKED_MAX 64   /* that wait for polkit, and maybe for somebody who types a password */
/* In all. The others wait for the bus alone, so that root is not kept out by those who wait: more than one user can have, who
 * is granted 256 connections by the bus. */
#define POLKIT_CHECKS_MAX (256 * POLKIT_SENDER_MAX + 256)

struct polkit;

/* Called once for each check that polkit_check() took, never from within it; not for those that were dropped, since their
 * sender left the bus or polkit_free() was called. m is as it was; it stays referenced until the handler returns.
 *
 * verdict: 0 allowed
 *          -EACCES denied: also where there is no polkit (but see without_polkit), and where it makes no sense
 *          -ENOKEY not yet: with the message's flag ALLOW_INTERACTIVE_AUTHORIZATION the user could prove who they are
 *          -ETIMEDOUT bus or polkit do not answer
 *          -EBUSY too many of this user's or in all wait for polkit
 *
 * uid: of the sender; UINT32_MAX where the bus did not tell */
typedef void (*polkit_handler)(sd_bus_message *m, int verdict, uint32_t uid, void *userdata);

/* The bus must outlive it. Belongs to one connection: make another for the next one. */
int polkit_new(sd_bus *bus, struct polkit **ret);
void polkit_free(struct polkit *p);
DEFINE_CLEANUP(struct polkit, polkit_free)

/* Validate the arguments first: what waits keeps its message in memory; and look at the facts again in the handler, since
 * time has passed. action must live until the handler was called or the check was dropped, such as a literal.
 * without_polkit: where there is no polkit everybody may, for what only reads.
 *
 * 0: the handler will be called · -EBUSY: too many checks wait · -EACCES: it cannot be asked at all · -ENOMEM */
int polkit_check(struct polkit *p, sd_bus_message *m, const char *action, bool without_polkit, polkit_handler handler,
                 void *userdata);
