/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/outcome.h"

#include "check_util.h"

#define B(zone) ZONE_BIT(ZONE_##zone)
#define FAILED OUTCOME_FAILED
#define BUSY OUTCOME_BUSY

/* The table is written out, not computed: it is the contract with the kernel. */

static const struct {
        int error;
        enum outcome offline; /* the block, read back, is not online */
} errors[] = {
        { 0, BUSY }, /* somebody took it offline again */
        { -EBUSY, BUSY },
        { -EAGAIN, BUSY },
        { -EINTR, BUSY },
        { -ENOMEM, BUSY },
        { -EIO, BUSY },
        { -EINVAL, FAILED }, /* and offline: the zone cannot be had */
        { -EPERM, FAILED },
        { -EACCES, FAILED },
        { -EROFS, FAILED },
        { -ENODEV, FAILED },
        { -ENOENT, FAILED },
        { -ENOSYS, FAILED },
        { -EHWPOISON, FAILED },
        { -ERANGE, FAILED },
};

static const struct {
        zone_mask zones; /* of the block, online; 0: "none", or no valid_zones */
        bool online, kernel, movable; /* fulfils the action */
} places[] = {
        { 0, true, true, true }, /* nothing to compare: taken as wanted */
        { B(DMA), true, true, false },
        { B(DMA32), true, true, false },
        { B(NORMAL), true, true, false },
        { B(HIGHMEM), true, true, false },
        { B(MOVABLE), true, false, true },
        { B(DEVICE), false, false, false },
};

static const struct {
        enum action action;
        size_t column; /* of places: which bool */
} actions[] = { { ACTION_ONLINE, 0 }, { ACTION_ONLINE_KERNEL, 1 }, { ACTION_ONLINE_MOVABLE, 2 } };

static bool is_wanted(size_t place, size_t action) {
        const bool wanted[] = { places[place].online, places[place].kernel, places[place].movable };

        return wanted[actions[action].column];
}

static void check(size_t a, size_t e, const struct block *b, enum outcome wanted) {
        enum outcome got = outcome_judge(actions[a].action, errors[e].error, b);

        ck_assert_msg(got == wanted, "%s, error %d, %s, zones %#x: wanted %s, got %s", action_to_string(actions[a].action),
                      errors[e].error, b ? block_state_to_string(b->state) : "gone", b ? b->zones : 0,
                      outcome_to_string(wanted), outcome_to_string(got));
}

START_TEST(test_judge) {
        for (size_t a = 0; a < ARRAY_SIZE(actions); a++)
                for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
                        check(a, e, NULL, OUTCOME_GONE); /* whatever the write said */
                        for (size_t p = 0; p < ARRAY_SIZE(places); p++)
                                for (enum block_state s = 0; s < _BLOCK_STATE_MAX; s++)
                                        for (int known = 0; known < 2; known++) {
                                                const struct block b = {
                                                        .state = s, .zones = places[p].zones, .zones_known = known || places[p].zones,
                                                        .first_zone = _ZONE_INVALID,
                                                };

                                                if (s != BLOCK_ONLINE)
                                                        check(a, e, &b, errors[e].offline);
                                                else if (!is_wanted(p, a))
                                                        check(a, e, &b, OUTCOME_WRONG_ZONE);
                                                else
                                                        check(a, e, &b, errors[e].error == 0 ? OUTCOME_DONE : OUTCOME_ALREADY);
                                        }
                }
}
END_TEST

/* The candidates of an offline block are not the zone it is in. */
START_TEST(test_candidates) {
        const struct block b = { .state = BLOCK_OFFLINE, .zones_known = true, .zones = B(NORMAL) | B(MOVABLE), .first_zone = ZONE_NORMAL };

        ck_assert_int_eq(outcome_judge(ACTION_ONLINE_MOVABLE, 0, &b), OUTCOME_BUSY);
        ck_assert_int_eq(outcome_judge(ACTION_ONLINE_MOVABLE, -EINVAL, &b), OUTCOME_FAILED);
}
END_TEST

/* Online by somebody else's doing: never "done", and never right if it was to stay offline. */
START_TEST(test_judge_online) {
        for (size_t p = 0; p < ARRAY_SIZE(places); p++) {
                const struct block b = { .state = BLOCK_ONLINE, .zones = places[p].zones, .zones_known = true, .first_zone = _ZONE_INVALID };

                ck_assert_int_eq(outcome_judge_online(ACTION_LEAVE_OFFLINE, &b), OUTCOME_WRONG_ZONE);
                for (size_t a = 0; a < ARRAY_SIZE(actions); a++)
                        ck_assert_int_eq(outcome_judge_online(actions[a].action, &b),
                                         is_wanted(p, a) ? OUTCOME_ALREADY : OUTCOME_WRONG_ZONE);
        }
}
END_TEST

/* Journal fields: others search for them. */
START_TEST(test_words) {
        static const char *const words[] = { "none", "done", "already", "delegated", "wrong-zone", "busy", "gone", "failed" };

        ck_assert_uint_eq(ARRAY_SIZE(words), _OUTCOME_MAX);
        for (enum outcome o = 0; o < _OUTCOME_MAX; o++)
                ck_assert_str_eq(outcome_to_string(o), words[o]);
        ck_assert_ptr_null(outcome_to_string(_OUTCOME_MAX));
        ck_assert_ptr_null(outcome_to_string(_OUTCOME_INVALID));
}
END_TEST

int main(void) {
        Suite *s = suite_create("outcome");
        TCase *c = check_case(s, "outcomes");

        tcase_add_test(c, test_judge);
        tcase_add_test(c, test_candidates);
        tcase_add_test(c, test_judge_online);
        tcase_add_test(c, test_words);
        return check_run(s);
}
