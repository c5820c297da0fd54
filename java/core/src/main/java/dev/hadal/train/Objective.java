package dev.hadal.train;

import dev.hadal.nn.Loss;

/**
 * One term of what training makes small.
 *
 * @param output the network's output that it looks at
 * @param target the data's field that holds the truth
 * @param weight its share of the sum
 */
record Objective(String output, String target, Loss loss, double weight) {}
