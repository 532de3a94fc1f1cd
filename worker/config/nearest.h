// SPDX-License-Identifier: Apache-2.0
// The nearest known name to a misspelt one, for error messages.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sparkmill::config {

/// Number of single-character edits (insert, delete, replace, swap of neighbours) from `a` to `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The nearest of `names`, or empty when none is close enough to be meant (more than a third of the letters, or more
/// than 3, differ). '-' and '_' count as equal, and so do the cases. Ties: the first.
std::string nearest(std::string_view name, std::span<const std::string_view> names);

}  // namespace sparkmill::config
