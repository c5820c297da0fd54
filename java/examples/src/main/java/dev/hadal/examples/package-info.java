/** Whole programs that train on real data, each measured against a simple baseline. */
@org.jspecify.annotations.NullMarked
package dev.hadal.examples;
