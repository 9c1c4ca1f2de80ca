# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boot a stock kernel with the freshly built programs, add memory to it, look."""
