// CHECK(condition, values...) holds in every build, or says where it failed and with which values.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <limits>
#include <sstream>
#include <type_traits>

namespace check {

template <class T>
void print(std::ostream& out, const T& value) {
  if constexpr (std::is_enum_v<T> || (std::is_integral_v<T> && sizeof(T) == 1)) {
    out << static_cast<int>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    out.precision(std::numeric_limits<T>::max_digits10);
    out << value;
  } else {
    out << value;
  }
}

template <class... Values>
[[noreturn]] void fail(const char* file, int line, const char* condition, const char* names,
                       const Values&... values) {
  std::ostringstream text;
  text << file << ":" << line << ": CHECK(" << condition << ") failed";
  if constexpr (sizeof...(values) != 0) {
    text << "; " << names << " =";
    ((text << " ", print(text, values)), ...);
  }
  std::fprintf(stderr, "%s\n", text.str().c_str());
  std::abort();
}

struct Test {
  const char* claim;
  void (*body)();
};

inline int run(std::initializer_list<Test> tests) {
  for (const Test& test : tests) {
    std::fprintf(stderr, "%s\n", test.claim);
    test.body();
  }
  return 0;
}

}  // namespace check

#define CHECK(condition, ...)         \
  ((condition) ? static_cast<void>(0) \
               : check::fail(__FILE__, __LINE__, #condition, #__VA_ARGS__ __VA_OPT__(, ) __VA_ARGS__))

// A test by its function's name, which is its claim.
#define TEST(name) \
  check::Test { #name, name }
