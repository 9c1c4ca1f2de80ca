/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Well-known strings that others rely on: message ids and journal fields. Never change one, never reuse one. */

#define MESSAGE_ONLINED "05ee0cafca5542fdb6ce44ab6b3d6730" /* a device's blocks were brought online */
#define MESSAGE_LEFT_OFFLINE "76442963d5854bd7a34c0abd369ba8a9" /* a device's blocks were left offline, as decided */
#define MESSAGE_LOST_RACE "4a853fd95cea4bd0b7136e7b5c7b81ae" /* another program brought a block online otherwise than the policy wants */
#define MESSAGE_FAILED "759f56afd7f64eecb2cb51931c1cfe15" /* a block could not be brought online */
#define MESSAGE_REMOVED "a7250bcf300a42ecbff3407fd0574e5f" /* blocks were unplugged */
#define MESSAGE_CHANGED "bf7006e955c740a9a3058bbbad4b245b" /* somebody else changed the state of blocks */
#define MESSAGE_OVERFLOW "d02e8744ec6e42ca9a9cf868a5a6f695" /* uevents were lost; everything is looked at again */
#define MESSAGE_STARTED "ba477398f76f4f3cb318b236fa25a3d5" /* the daemon watches */
#define MESSAGE_POLICY "20ba7c19fbf348ba8e6484f7dfdc634e" /* a policy was loaded */
#define MESSAGE_POLICY_REFUSED "c3a5227da6294a0596662d668798ff0c" /* a policy was refused; the one before stays */
#define MESSAGE_REFUSED "27c2971a5a404ee8a34cfa6919765148" /* the kernel refused a hot-add */
#define MESSAGE_PARTIAL "39885ab2683e4d29a793e4b485f57071" /* a device could not be brought online as a whole */
#define MESSAGE_HELD "1554300837674a74891ec740a77769e1" /* blocks wait for a hold to be released */
#define MESSAGE_OFFLINED "d08b7412e2004e15b1f98a115de63188" /* blocks were taken offline, as somebody asked */
#define MESSAGE_JOB "5ea974da0a214e9894dda6f846387787" /* what became of a job that somebody asked for */
#define MESSAGE_UNIT "e88c300a71e04f34a0e78390cf804b26" /* a systemd unit was to be started after a hot-add */
#define MESSAGE_ALERT_KERNEL_LOW "06bd0dbe254b42f5bd5fff7de31b496e" /* kernel zones are nearly exhausted while movable memory is free */
#define MESSAGE_ALERT_RATIO "e90c163012cc4d67ac4b168121936d0f" /* more movable memory than the rule allows for */
#define MESSAGE_ALERT_WAITING "270b0d5328804387aad57725f8a78c96" /* hot-added memory is offline for too long */
#define MESSAGE_ALERT_NEXT_ADD "08f18bbaf01e4d738ec293b21a083f16" /* the next hot-add is likely to be refused */
#define MESSAGE_ALERT_CLEARED "315f9139c589433d962dbcc96c1e1dec" /* an alert is over */
#define MESSAGE_RIVAL "64d4abecfa0744aebfc24108064325b0" /* somebody else brings memory online as well */
#define MESSAGE_WARNING "d88217d28074480c8be923476759fa19" /* something stands in the way of a sure decision */

#define FIELD_BLOCK "MEMHP_BLOCK"
#define FIELD_DEVICE "MEMHP_DEVICE"
#define FIELD_SOURCE "MEMHP_SOURCE"
#define FIELD_ADD "MEMHP_ADD"
#define FIELD_RULE "MEMHP_RULE"
#define FIELD_ACTION "MEMHP_ACTION"
#define FIELD_ZONE "MEMHP_ZONE"
#define FIELD_OUTCOME "MEMHP_OUTCOME"
#define FIELD_REASON "MEMHP_REASON"
#define FIELD_NODE "MEMHP_NODE"
#define FIELD_FILE "MEMHP_FILE" /* of the rule */
#define FIELD_LINE "MEMHP_LINE"
#define FIELD_WHY "MEMHP_WHY"   /* why the kernel would not, in its words */
#define FIELD_JOB "MEMHP_JOB"
#define FIELD_UNIT "MEMHP_UNIT" /* of systemd, that was to be started */
#define FIELD_ALERT "MEMHP_ALERT" /* core/alerts.h */
#define FIELD_BALANCE "MEMHP_BALANCE" /* bytes movable, kernel, added; node; percent; is hot-added kernel memory counted */

/* D-Bus: man 5 org.memhp1. */
#define BUS_NAME "org.memhp1"
#define BUS_PATH "/org/memhp1"
#define BUS_MANAGER "org.memhp1.Manager"
#define BUS_BLOCK "org.memhp1.Block"
#define BUS_DEVICE "org.memhp1.Device"
#define BUS_NODE "org.memhp1.Node"
#define BUS_JOB "org.memhp1.Job"

#define BUS_ERROR_NO_SUCH_BLOCK "org.memhp1.Error.NoSuchBlock"
#define BUS_ERROR_BAD_SELECTOR "org.memhp1.Error.BadSelector"
#define BUS_ERROR_BUSY "org.memhp1.Error.Busy"
#define BUS_ERROR_WRONG_ZONE "org.memhp1.Error.WrongZone"
#define BUS_ERROR_BAD_POLICY "org.memhp1.Error.BadPolicy"
#define BUS_ERROR_HELD "org.memhp1.Error.Held"

#define POLKIT_INSPECT "org.memhp1.inspect"
#define POLKIT_SET_STATE "org.memhp1.set-state"
#define POLKIT_MANAGE_POLICY "org.memhp1.manage-policy"
