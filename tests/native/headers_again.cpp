#include "all.hpp"

std::uint64_t mixed_in_the_other_half(std::uint64_t x) { return recsys_embed::mix64(x); }
