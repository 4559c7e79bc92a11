// Half of a program whose two halves include every header twice: it links only if nothing in them
// is defined more than once.
#include "all.hpp"

std::uint64_t mixed_in_the_other_half(std::uint64_t x);

int main() { return recsys_embed::mix64(7) == mixed_in_the_other_half(7) ? 0 : 1; }
