/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text for people. Names come from files that others write: nothing here lets a control character reach a terminal. */

#include <stdarg.h>
#include <stdio.h>

#include "core/block.h"

/* "memhpctl: …" on stderr, one line whatever the arguments hold. */
void complain(const char *format, ...) _printf_(1, 2);

/* complain(), and exit as failed: a command that has no memory has nothing left to clean up. */
_Noreturn void out_of_memory(void);

/* What is not printable in this locale is printed as \xNN. */
void print_safe(FILE *f, const char *s);

/* In characters of a terminal, as print_safe() prints it. */
size_t text_width(const char *s);

/* printf() into memory that the caller frees. Never NULL. */
char *format_text(const char *format, ...) _printf_(1, 2);
char *format_text_va(const char *format, va_list ap) _printf_(1, 0);

#define SIZE_TEXT_MAX 32
/* "128M", "1.5G", or the plain number of bytes. Returns buf. */
const char *format_bytes(uint64_t size, bool bytes, char buf[static SIZE_TEXT_MAX]);

/* "0,2-3"; "" for the empty set. The caller frees it. */
char *format_nodes(const struct node_set *nodes);

/* "Normal/Movable" in the kernel's order, "none" (several zones or holes) or "unknown". The caller frees it. */
char *format_zones(const struct block *b);

/* The zones of a block in the kernel's order, the one that a plain "online" picks first. */
size_t block_list_zones(const struct block *b, enum zone ret[static _ZONE_MAX]);
