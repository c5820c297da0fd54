/*
 * Every kernel, on every instruction set that this machine has, with one and with several threads, against
 * the formula in double. Results must also be the same bits on all of them, but for those of rows.cpp, which are those of
 * their instruction set: a sum that depends on the thread count, or a contracted multiply-add, shows here.
 *
 * Outputs start as 777.777, so that what a kernel forgets to write is seen.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "hadal.h"
#include "kernels.h"

namespace {

using Buffer = std::vector<float>;

const float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kPoison = 777.777f;
const int64_t kSizes[] = {0, 1, 7, 15, 16, 17, 33, 200003};

int failures = 0;
std::string where;

void check(bool ok, const std::string& what) {
    if (ok) return;
    if (++failures <= 20) printf("FAILED %s: %s\n", where.c_str(), what.c_str());
}

bool same_bits(const Buffer& a, const Buffer& b) {
    return a.size() == b.size() && (a.empty() || memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

void check_same(const Buffer& actual, const Buffer& expected, const char* what) {
    check(same_bits(actual, expected), std::string(what) + " differs in its bits");
}

/** |actual − expected| ≤ relative·|expected| + absolute, for every element. */
void check_close(const Buffer& actual, const std::vector<double>& expected, double relative, double absolute,
                 const char* what) {
    check(actual.size() == expected.size(), std::string(what) + " has another size");
    for (size_t i = 0; i < expected.size(); i++) {
        double error = fabs((double)actual[i] - expected[i]);
        if (!(error <= relative * fabs(expected[i]) + absolute)) {
            char text[200];
            snprintf(text, sizeof text, "%s[%zu] is %.9g, should be %.9g", what, i, actual[i], expected[i]);
            return check(false, text);
        }
    }
}

Buffer normal(int64_t n, unsigned seed, float scale = 1.0f) {
    std::mt19937 random(seed);
    std::normal_distribution<float> distribution(0.0f, scale);
    Buffer x(n);
    for (float& element : x) element = distribution(random);
    return x;
}

/**
 * Runs `body` on every instruction set and thread count; it must return the same bits each time, or if `fused`, where
 * multiply-adds may be contracted, each time on one instruction set.
 */
void everywhere(const std::string& name, const std::function<Buffer()>& body, bool fused = false) {
#ifdef HADAL_STD_THREADS  // for ThreadSanitizer, to which instruction sets are alike
    const std::pair<hadal::Isa, const char*> isas[] = {{hadal::Isa::baseline, "baseline"}};
#else
    const std::pair<hadal::Isa, const char*> isas[] = {
        {hadal::Isa::baseline, "baseline"},
        {hadal::Isa::avx2, "avx2"},
        {hadal::Isa::avx512, "avx512"},
        {hadal::Isa::avx512_bf16, "avx512"}};
#endif
    Buffer first;
    bool have_first = false;
    for (auto [isa, isa_name] : isas) {
        if (!hadal::select(isa)) continue;
        check(strcmp(hadal_isa(), isa_name) == 0, "select chose another instruction set");
        for (int threads : {1, 2, 3}) {
            hadal_set_threads(threads);
            where = name + ", " + isa_name + ", " + std::to_string(threads) + " threads";
            Buffer result = body();
            if (!have_first || (fused && threads == 1)) first = result;
            have_first = true;
            check_same(result, first, "the result");
        }
    }
}

Buffer joined(std::initializer_list<Buffer> parts) {
    Buffer all;
    for (const Buffer& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

// ---- sums -------------------------------------------------------------------------------------------------

void test_sum_of_squares() {
    for (int64_t n : kSizes) {
        Buffer x = normal(n, 1);
        long double expected = 0;
        for (float element : x) expected += (long double)element * element;
        everywhere("sum_of_squares of " + std::to_string(n), [&] {
            double sum = hadal_sum_of_squares(x.data(), n);
            check(fabsl(sum - expected) <= 1e-14L * expected, "sum is " + std::to_string(sum));
            Buffer bits(2);
            memcpy(bits.data(), &sum, sizeof sum);
            return bits;
        });
    }
    everywhere("sum_of_squares beyond float and of nothing finite", [&] {
        Buffer large(40, 1e30f), tiny(40, 1e-44f), nan(40, 1.0f), inf(40, 1.0f);
        nan[39] = kNaN;
        inf[0] = -kInf;
        double tiny_square = (double)1e-44f * (double)1e-44f;
        check(fabs(hadal_sum_of_squares(large.data(), 40) / 4e61 - 1) < 1e-6, "large");
        check(fabs(hadal_sum_of_squares(tiny.data(), 40) / (40 * tiny_square) - 1) < 1e-14, "subnormal");
        check(isnan(hadal_sum_of_squares(nan.data(), 40)), "NaN must show");
        check(isinf(hadal_sum_of_squares(inf.data(), 40)), "Inf must show");
        return Buffer();
    });
}

// ---- optimizers -------------------------------------------------------------------------------------------

const float kBeta1 = 0.9f, kBeta2 = 0.999f, kEpsilon = 1e-8f;

/** As clip_grad_norm_. */
double clip_factor(const float* hyper, float norm) { return fmin(1.0, hyper[4] / ((double)norm + 1e-6)); }

struct Rule {
    hadal_rule rule;
    int moments;
    float a, b, epsilon;
};
const Rule kRules[] = {{HADAL_SGD, 0, 0, 0, 0},
                       {HADAL_MOMENTUM, 1, 0.9f, 0, 0},
                       {HADAL_NESTEROV, 1, 0.9f, 0, 0},
                       {HADAL_RMSPROP, 1, 0.99f, 0, 1e-3f},
                       {HADAL_RMSPROP_MOMENTUM, 2, 0.99f, 0.9f, 1e-3f},
                       {HADAL_CENTRED, 2, 0.99f, 0, 1e-2f},
                       {HADAL_CENTRED_MOMENTUM, 3, 0.99f, 0.9f, 1e-2f},
                       {HADAL_ADAM, 2, kBeta1, kBeta2, kEpsilon},
                       {HADAL_AMSGRAD, 3, kBeta1, kBeta2, kEpsilon},
                       {HADAL_NADAM, 2, kBeta1, kBeta2, kEpsilon},
                       {HADAL_LION, 1, 0.9f, 0.99f, 0}};

/** The rule's step in double. */
double step_of(const Rule& r, double d, double* m, const float* hyper) {
    const double a = r.a, b = r.b, epsilon = r.epsilon, c1 = hyper[2], c2 = hyper[3], c3 = hyper[5];
    switch (r.rule) {
        case HADAL_SGD:
            return d;
        case HADAL_MOMENTUM:
        case HADAL_NESTEROV:
            m[0] = a * m[0] + d;
            return r.rule == HADAL_MOMENTUM ? m[0] : d + a * m[0];
        case HADAL_LION: {
            double u = a * m[0] + (1 - a) * d;
            m[0] = b * m[0] + (1 - b) * d;
            return (u > 0) - (u < 0);
        }
        case HADAL_ADAM:
        case HADAL_AMSGRAD:
        case HADAL_NADAM: {
            m[0] = a * m[0] + (1 - a) * d;
            m[1] = b * m[1] + (1 - b) * d * d;
            m[2] = fmax(m[2], m[1]);
            double v = r.rule == HADAL_AMSGRAD ? m[2] : m[1];
            return (c1 * m[0] + (r.rule == HADAL_NADAM ? c3 * d : 0)) / (sqrt(c2 * v) + epsilon);
        }
        default: {
            bool centred = r.rule == HADAL_CENTRED || r.rule == HADAL_CENTRED_MOMENTUM;
            m[0] = a * m[0] + (1 - a) * d * d;
            double variance = m[0];
            if (centred) {
                m[1] = a * m[1] + (1 - a) * d;
                variance = fmax(m[0] - m[1] * m[1], 0);
            }
            double s = d / (sqrt(variance) + epsilon);
            if (r.rule == HADAL_RMSPROP || r.rule == HADAL_CENTRED) return s;
            double& momentum = m[centred ? 2 : 1];
            return momentum = b * momentum + s;
        }
    }
}

float* data_or_null(Buffer& m, bool present) { return present ? m.data() : nullptr; }

float of_bf16(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/** Nothing that is a bfloat16 lies nearer, and of two that lie as near, y is the even one. */
void check_rounded(const std::vector<uint16_t>& y, const Buffer& x) {
    for (size_t i = 0; i < y.size(); i++) {
        double off = fabs((double)of_bf16(y[i]) - x[i]);
        for (int step : {-1, 1}) {
            uint16_t beside = (uint16_t)(y[i] + step);
            double other = fabs((double)of_bf16(beside) - x[i]);
            if (!(off < other || (off == other && y[i] % 2 == 0))) check(false, "bf16 of " + std::to_string(x[i]));
        }
    }
}

void test_rounding() {
    everywhere("rounding to bf16", [&] {
        // A rate of 0 leaves w alone.
        const float hyper[] = {0, 0, 1, 1, kInf, 0, kInf, 0}, norm = 1;
        Buffer w = {1.0f, 1.00390625f, 1.01171875f, -1.00390625f, 1.003907f, 3.4e38f, kNaN, 0.0f};
        Buffer g(w.size(), 0.0f);
        const std::vector<uint16_t> wanted = {0x3F80, 0x3F80, 0x3F82, 0xBF80, 0x3F81, 0x7F80, 0x7FC0, 0};
        std::vector<uint16_t> y(w.size());
        hadal_update(HADAL_SGD, w.data(), g.data(), nullptr, nullptr, nullptr, y.data(), (int64_t)w.size(), 0, 0, 0,
                     hyper, &norm);
        for (size_t i = 0; i < y.size(); i++)
            check(y[i] == wanted[i], "bf16 of element " + std::to_string(i));
        return Buffer();
    });
}

void test_update() {
    for (const Rule& rule : kRules) {
        for (int64_t n : kSizes) {
            for (float limit : {kInf, 0.5f}) {
                const float value = limit == kInf ? 0.15f : kInf;
                const Buffer g = normal(n, 2, 0.1f), w0 = normal(n, 3);
                Buffer m0[3] = {normal(n, 4, 0.01f), normal(n, 5, 0.01f), normal(n, 6, 0.01f)};
                for (Buffer& m : m0)
                    for (float& x : m) x = x * x;
                const float hyper[] = {3e-3f, 0.05f, 1.9f, 142.9f, limit, 0.2f, value, 5e-4f};
                const float norm = (float)sqrt(hadal_sum_of_squares(g.data(), n));

                std::vector<double> w1(n), m1[3] = {w1, w1, w1};
                for (int64_t i = 0; i < n; i++) {
                    double m[] = {m0[0][i], m0[1][i], m0[2][i]};
                    double gi = fmax(-value, fmin(value, g[i] * clip_factor(hyper, norm)));
                    double s = step_of(rule, gi + (double)hyper[7] * w0[i], m, hyper);
                    w1[i] = w0[i] - hyper[0] * (s + (double)hyper[1] * w0[i]);
                    for (int k = 0; k < rule.moments; k++) m1[k][i] = m[k];
                }
                everywhere("rule " + std::to_string(rule.rule) + " of " + std::to_string(n), [&] {
                    Buffer w = w0, m[3] = {m0[0], m0[1], m0[2]};
                    std::vector<uint16_t> shadow(n);
                    hadal_update(rule.rule, w.data(), g.data(), data_or_null(m[0], rule.moments > 0),
                                 data_or_null(m[1], rule.moments > 1), data_or_null(m[2], rule.moments > 2),
                                 shadow.data(), n,
                                 rule.a, rule.b, rule.epsilon, hyper, &norm);
                    for (int k = 0; k < rule.moments; k++) check_close(m[k], m1[k], 2e-6, 1e-6, "m");
                    check_close(w, w1, 1e-6, 2e-7, "w");
                    check_rounded(shadow, w);
                    return joined({w, m[0], m[1], m[2]});
                });
            }
        }
    }
}

void test_a_norm_that_is_not_finite_writes_nothing() {
    for (int64_t n : kSizes) {
        for (float norm : {kNaN, kInf, -kInf}) {
            for (float limit : {1.0f, kInf}) {
                const Buffer g(n, kNaN), w0 = normal(n, 9), m0 = normal(n, 10), v0 = normal(n, 11);
                const float hyper[] = {0.1f, 0.1f, 1.0f, 1.0f, limit, 1.0f, 1.0f, 0.1f};
                everywhere("norm " + std::to_string(norm), [&] {
                    Buffer w = w0, m = m0, v = v0, x = v0;
                    std::vector<uint16_t> shadow(n, 777);
                    for (const Rule& rule : kRules)
                        hadal_update(rule.rule, w.data(), g.data(), m.data(), v.data(), x.data(), shadow.data(), n,
                                     rule.a, rule.b, rule.epsilon, hyper, &norm);
                    check_same(w, w0, "w");
                    check_same(m, m0, "m");
                    check_same(v, v0, "v");
                    check(shadow == std::vector<uint16_t>(n, 777), "the shadow must stay");
                    return Buffer();
                });
            }
        }
    }
}

void test_the_moments_of_dead_gradients_become_zero() {
    everywhere("subnormal moments", [&] {
        const int64_t n = 100000;
        Buffer w = normal(n, 12), g(n, 0.0f), m(n, 1e-40f), v(n, 1e-40f), zero(n, 0.0f), before = w;
        const float hyper[] = {0.1f, 0.0f, 1.0f, 1.0f, kInf, 0.0f, kInf, 0.0f}, norm = 0.0f;
        hadal_update(HADAL_ADAM, w.data(), g.data(), m.data(), v.data(), nullptr, nullptr, n, 0.9f, 0.999f, 1e-8f, hyper,
                     &norm);
        check_same(m, zero, "m");
        check_same(v, zero, "v");
        check_same(w, before, "w");
        volatile float subnormal = 1e-40f;
        check(subnormal * 0.5f > 0.0f, "the caller's own arithmetic must keep its subnormal numbers");
        return Buffer();
    });
}

// ---- recurrent networks -----------------------------------------------------------------------------------

/** What one unit's step gives in double, and with the gradients dh and dc what its step backwards gives. */
struct Unit {
    std::vector<double> h, kept, da, db, dh;
    double dc = 0;
};

Unit recurrent_unit(int cell, const std::vector<double>& s, double h, double c, double q, double dh, double dc) {
    auto sigmoid = [](double x) { return 1.0 / (1.0 + exp(-x)); };
    if (cell == HADAL_RNN_TANH || cell == HADAL_RNN_RELU) {
        double y = cell == HADAL_RNN_TANH ? tanh(s[0]) : fmax(s[0], 0.0);
        double d = cell == HADAL_RNN_TANH ? dh * (1 - y * y) : y > 0 ? dh : 0.0;
        return {{y}, {}, {d}, {}, {0.0}};
    }
    if (cell == HADAL_LSTM) {
        double i = sigmoid(s[0]), f = sigmoid(s[1]), g = tanh(s[2]), o = sigmoid(s[3]);
        double next = f * c + i * g, t = tanh(next), d = dc + dh * o * (1 - t * t);
        std::vector<double> da = {d * g * i * (1 - i), d * c * f * (1 - f), d * i * (1 - g * g), dh * t * o * (1 - o)};
        return {{o * t}, {i, f, g, o, next}, da, {}, {0.0}, d * f};
    }
    double r = sigmoid(s[0]), z = sigmoid(s[1]), g = tanh(s[2] - q + r * q);
    double dn = dh * (1 - z) * (1 - g * g), dr = dn * q * r * (1 - r), dz = dh * (h - g) * z * (1 - z);
    return {{(1 - z) * g + z * h}, {r, z, g, q}, {dr, dz, dn}, {dr, dz, dn * r}, {dh * z}};
}

void test_recurrent() {
    const int64_t gates[] = {1, 1, 4, 3}, kept[] = {0, 0, 5, 4}, n = 5, steps = 3, t = 1;
    const int32_t lengths[] = {3, 1, 2, 0, 3};
    for (int cell : {HADAL_RNN_TANH, HADAL_RNN_RELU, HADAL_LSTM, HADAL_GRU}) {
        for (int64_t hidden : {1, 17, 600}) {
            const int64_t width = gates[cell] * hidden, keep = kept[cell] * hidden, state = n * hidden;
            const Buffer a = normal(n * steps * width, 31), b = normal(n * width, 32), bias_a = normal(width, 33),
                         bias_b = normal(width, 34), h0 = normal(state, 35), c0 = normal(state, 36),
                         dh0 = normal(state, 37), dc0 = normal(state, 38), dy = normal(n * steps * hidden, 39);
            everywhere("recurrent cell " + std::to_string(cell) + " of " + std::to_string(hidden), [&] {
                const bool lstm = cell == HADAL_LSTM, gru = cell == HADAL_GRU;
                Buffer h = h0, c = c0, y(n * steps * hidden, kPoison), k(n * steps * keep, kPoison), dh = dh0,
                       dc = dc0, da(n * steps * width, kPoison), db = da, before = y;
                hadal_recurrent_step(cell, n, steps, hidden, t, lengths, a.data(), b.data(), bias_a.data(),
                                     bias_b.data(), h.data(), lstm ? c.data() : nullptr, y.data(),
                                     keep > 0 ? k.data() : nullptr);
                hadal_recurrent_step_backward(cell, n, steps, hidden, t, -1, lengths, y.data(), h0.data(),
                                              lstm ? c0.data() : nullptr, keep > 0 ? k.data() : nullptr, dy.data(),
                                              dh.data(), lstm ? dc.data() : nullptr, da.data(),
                                              gru ? db.data() : nullptr, before.data());
                for (int64_t row = 0; row < n; row++) {
                    const int64_t place = row * steps + t;
                    for (int64_t j = 0; j < hidden; j++) {
                        const int64_t at = row * hidden + j;
                        std::vector<double> sums;
                        for (int64_t g = 0; g < gates[cell]; g++) {
                            const int64_t u = g * hidden + j;
                            sums.push_back((double)a[place * width + u] + bias_a[u] + b[row * width + u] + bias_b[u]);
                        }
                        const double q = gru ? (double)b[row * width + 2 * hidden + j] + bias_b[2 * hidden + j] : 0;
                        const bool on = t < lengths[row];
                        Unit e = recurrent_unit(cell, sums, h0[at], c0[at], q,
                                                (double)dh0[at] + dy[place * hidden + j], dc0[at]);
                        Buffer got = {h[at], dh[at], y[place * hidden + j], before[place * hidden + j]};
                        std::vector<double> want = {on ? e.h[0] : h0[at], on ? e.dh[0] : dh0[at], on ? e.h[0] : 0,
                                                    on ? h0[at] : 0};
                        for (int64_t g = 0; g < kept[cell]; g++) {
                            got.push_back(k[place * keep + g * hidden + j]);
                            want.push_back(on ? e.kept[g] : 0);
                        }
                        for (int64_t g = 0; g < gates[cell]; g++) {
                            got.push_back(da[place * width + g * hidden + j]);
                            want.push_back(on ? e.da[g] : 0);
                            if (gru) got.push_back(db[place * width + g * hidden + j]);
                            if (gru) want.push_back(on ? e.db[g] : 0);
                        }
                        if (lstm) got.insert(got.end(), {c[at], dc[at]});
                        if (lstm) want.insert(want.end(), {on ? e.kept[4] : c0[at], on ? e.dc : dc0[at]});
                        check_close(got, want, 2e-6, 2e-6, "the unit");
                    }
                }
                return joined({h, y, k, dh, da, before});
            });
        }
    }
    const int64_t rows = 301, columns = 1003;
    const Buffer x = normal(rows * columns, 40);
    std::vector<double> sums(columns);
    for (int64_t i = 0; i < rows * columns; i++) sums[i % columns] += x[i];
    everywhere("column sums", [&] {
        Buffer y(columns, kPoison);
        hadal_column_sums(x.data(), rows, columns, y.data());
        check_close(y, sums, 1e-7, 1e-12, "the sums");
        return y;
    });
    for (float slope : {0.0f, 0.25f}) {
        for (int64_t wide : {(int64_t)1, (int64_t)64, columns}) {
            const int64_t count = rows * columns / wide;
            const Buffer y = normal(count * wide, 41), dy = normal(count * wide, 42);
            std::vector<double> dx(count * wide), db(wide);
            for (int64_t i = 0; i < count * wide; i++) dx[i] = y[i] > 0 ? dy[i] : slope * dy[i];
            for (int64_t i = 0; i < count * wide; i++) db[i % wide] += dx[i];
            everywhere("relu and bias backward", [&] {
                Buffer got_dx(count * wide, kPoison), got_db(wide, kPoison);
                Buffer scratch(hadal_relu_bias_backward_scratch(count, wide), kPoison);
                hadal_relu_bias_backward(y.data(), dy.data(), count, wide, slope, got_dx.data(), got_db.data(),
                                         scratch.data());
                check_close(got_dx, dx, 0, 0, "dx");
                check_close(got_db, db, 1e-5, 1e-3, "db");
                return joined({got_dx, got_db});
            });
        }
    }
}

// ---- loss -------------------------------------------------------------------------------------------------

struct Problem {
    int64_t rows, classes;
    float scale;  // of the logits
};
const Problem kProblems[] = {{0, 10, 1},     {1, 1, 1},     {1, 7, 1},    {3, 15, 5},
                             {5, 16, 5},     {7, 17, 5},    {64, 10, 10}, {33, 33, 30},
                             {2, 50257, 5}, {1003, 997, 5}, {9, 100, 1e4}, {40000, 3, 1}};

void test_cross_entropy() {
    for (Problem problem : kProblems) {
        for (int kind = 0; kind < 4; kind++) {  // plain, smoothed, weighted, both
            const float smoothing = kind % 2 == 0 ? 0.0f : 0.1f;
            const bool weighted = kind >= 2;
            const int64_t rows = problem.rows, classes = problem.classes;
            const int64_t places = rows % 2 == 0 ? 2 : 1, samples = rows / places;
            const Buffer x = normal(rows * classes, 13, problem.scale);
            Buffer w(classes), v(samples);
            for (int64_t k = 0; k < classes; k++) w[k] = weighted ? 0.25f * (float)(k % 5 + 1) : 1.0f;
            for (int64_t n = 0; n < samples; n++) v[n] = weighted ? 0.5f * (float)(n % 4) : 1.0f;
            std::vector<int32_t> labels(rows);
            for (int64_t row = 0; row < rows; row++) {
                labels[row] = weighted && row % 5 == 1 ? -100 : (int32_t)(row * 7919 % classes);
            }
            const float dloss = 0.75f;

            double loss1 = 0, divisor = 0;
            for (int32_t label : labels) divisor += label < 0 ? 0 : (double)w[label];
            std::vector<double> p1(rows * classes), dx1(rows * classes);
            for (int64_t row = 0; row < rows; row++) {
                const float* xs = x.data() + row * classes;
                const double vi = labels[row] < 0 ? 0 : (double)v[row / places];
                float max = -kInf;
                double s = 0, total = 0;
                for (int64_t k = 0; k < classes; k++) max = fmaxf(max, xs[k]);
                // z is a float: rounding it is part of the bargain, and moves p by |z|·6·10⁻⁸
                auto z = [&](int64_t k) { return (double)(float)(xs[k] - max); };
                auto t = [&](int64_t k) {
                    return ((1.0 - smoothing) * (k == labels[row]) + (double)smoothing / classes) * w[k];
                };
                for (int64_t k = 0; k < classes; k++) s += exp(z(k));
                for (int64_t k = 0; k < classes; k++) total += t(k);
                for (int64_t k = 0; k < classes; k++) {
                    double p = exp(z(k)) / s;
                    p1[row * classes + k] = p;
                    dx1[row * classes + k] = vi * (p * total - t(k)) * dloss / divisor;
                    loss1 -= vi * t(k) * (z(k) - log(s)) / divisor;
                }
            }
            everywhere("cross entropy " + std::to_string(rows) + "x" + std::to_string(classes), [&] {
                const float *cw = weighted ? w.data() : nullptr, *sw = weighted ? v.data() : nullptr;
                auto forward = [&](const Buffer& from, Buffer& loss, Buffer& to) {
                    hadal_cross_entropy(from.data(), labels.data(), cw, sw, samples, places, classes, smoothing,
                                        -100, loss.data(), to.data());
                };
                auto backward = [&](const Buffer& from, Buffer& to) {
                    hadal_cross_entropy_backward(from.data(), labels.data(), cw, sw, &dloss, samples, places,
                                                 classes, smoothing, -100, to.data());
                };
                Buffer p(rows * classes, kPoison), dx(rows * classes, kPoison), loss(1, kPoison);
                forward(x, loss, p);
                backward(p, dx);
                check_close(p, p1, 5e-7, 2e-38, "p");
                check_close(dx, dx1, 5e-7, 5e-7 * dloss / (divisor + 1), "dx");
                if (rows == 0) {
                    check(isnan(loss[0]), "the mean loss of no rows must be NaN");
                    loss[0] = 0;
                } else {
                    check_close(loss, {loss1}, 1e-6, 1e-6, "loss");
                }

                Buffer in_place = x, loss2(1, kPoison);
                forward(in_place, loss2, in_place);
                check_same(in_place, p, "p in place");
                if (rows > 0) check_same(loss2, loss, "loss in place");
                backward(in_place, in_place);
                check_same(in_place, dx, "dx in place");
                return joined({loss, p, dx});
            }, true);
        }
    }
}

void test_cross_entropy_of_odd_logits_and_labels() {
    const int64_t rows = 3, classes = 20;
    const Buffer x = normal(rows * classes, 14);
    const std::vector<int32_t> labels = {0, 19, 7};
    auto loss_of = [&](const Buffer& logits, const std::vector<int32_t>& of, Buffer* p) {
        float loss = kPoison;
        p->assign(rows * classes, kPoison);
        hadal_cross_entropy(logits.data(), of.data(), nullptr, nullptr, rows, 1, classes, 0.0f, -100, &loss,
                            p->data());
        return loss;
    };
    everywhere("odd logits and labels", [&] {
        Buffer p;
        for (int32_t wrong : {-1, 20, 1 << 30, std::numeric_limits<int32_t>::min()}) {
            std::vector<int32_t> of = labels;
            of[1] = wrong;
            check(isnan(loss_of(x, of, &p)), "a label out of range must make the loss NaN");
            Buffer dx(rows * classes, kPoison);
            float dloss = 1;
            hadal_cross_entropy_backward(p.data(), of.data(), nullptr, nullptr, &dloss, rows, 1, classes, 0.0f, -100,
                                         dx.data());
            for (int64_t i = 0; i < rows * classes; i++)
                check(isnan(dx[i]) == (i / classes == 1), "NaN in the row of the wrong label alone");
        }
        for (float odd : {kNaN, kInf}) {
            for (int64_t at : {0, 5, 18, 39, 59}) {
                Buffer logits = x;
                logits[at] = odd;
                check(isnan(loss_of(logits, labels, &p)), "a NaN or Inf logit must make the loss NaN");
            }
        }
        Buffer logits = x;
        logits[3] = logits[17] = -kInf;
        check(isfinite(loss_of(logits, labels, &p)), "a class ruled out by -Inf is fine");
        check(p[3] == 0.0f && p[17] == 0.0f, "and has probability 0");
        logits[0] = -kInf;
        check(isinf(loss_of(logits, labels, &p)), "unless it is the label");
        return Buffer();
    });
}

// ---- normalization ----------------------------------------------------------------------------------------

struct GroupProblem {
    int64_t samples, groups, channels, plane;
    bool centred;
};
const GroupProblem kGroupProblems[] = {{0, 1, 5, 1, true},   {1, 1, 1, 1, true},    {3, 1, 7, 1, true},
                                       {5, 1, 64, 1, false}, {130, 1, 33, 1, true}, {2000, 1, 65, 1, false},
                                       {3, 4, 5, 7, true},   {67, 3, 4, 49, true},  {2, 8, 1, 33, true},
                                       {2, 3, 2, 1, true}};

void test_group_norm() {
    for (GroupProblem p : kGroupProblems) {
        const int64_t width = p.channels * p.plane, groups = p.samples * p.groups, n = groups * width;
        const int64_t scales = p.groups * p.channels;
        const double epsilon = 1e-5f;
        const Buffer x = normal(n, 15, 2), dy = normal(n, 16), scale = normal(scales, 17), bias = normal(scales, 18);
        auto scale_of = [&](int64_t i) { return i / width % p.groups * p.channels + i % width / p.plane; };

        std::vector<double> y1(n), mean1(groups), variance1(groups), dx1(n), dscale1(scales), dbias1(scales);
        for (int64_t g = 0; g < groups; g++) {
            const int64_t begin = g * width, end = begin + width;
            for (int64_t i = begin; i < end && p.centred; i++) mean1[g] += x[i] / (double)width;
            for (int64_t i = begin; i < end; i++) variance1[g] += pow(x[i] - mean1[g], 2) / (double)width;
            const double rho = 1 / sqrt(variance1[g] + epsilon);
            double mean_g = 0, mean_gx = 0;
            for (int64_t i = begin; i < end; i++) {
                const double hat = rho * (x[i] - mean1[g]), gamma = scale[scale_of(i)];
                y1[i] = gamma * hat + (p.centred ? bias[scale_of(i)] : 0);
                mean_g += p.centred ? gamma * dy[i] / (double)width : 0;
                mean_gx += gamma * dy[i] * hat / (double)width;
                dscale1[scale_of(i)] += dy[i] * hat;
                dbias1[scale_of(i)] += dy[i];
            }
            for (int64_t i = begin; i < end; i++) {
                const double hat = rho * (x[i] - mean1[g]);
                dx1[i] = rho * (scale[scale_of(i)] * dy[i] - mean_g - hat * mean_gx);
            }
        }
        if (!p.centred) mean1.clear(), dbias1.clear();
        everywhere("group norm " + std::to_string(p.samples) + "x" + std::to_string(width), [&] {
            Buffer y(n, kPoison), mean(mean1.size(), kPoison), variance(groups, kPoison);
            Buffer dx(n, kPoison), dscale(scales, kPoison), dbias(dbias1.size(), kPoison);
            Buffer scratch(hadal_group_norm_scratch(p.samples, p.groups, p.channels), kPoison);
            const float* b = p.centred ? bias.data() : nullptr;
            float* m = p.centred ? mean.data() : nullptr;
            float* db = p.centred ? dbias.data() : nullptr;
            hadal_group_norm(x.data(), scale.data(), b, p.samples, p.groups, p.channels, p.plane, 1e-5f, y.data(),
                             m, variance.data());
            check_close(y, y1, 2e-6, 2e-6, "y");
            check_close(mean, mean1, 1e-6, 1e-6, "mean");
            check_close(variance, variance1, 1e-6, 1e-12, "variance");
            hadal_group_norm_backward(x.data(), dy.data(), scale.data(), m, variance.data(), p.samples, p.groups,
                                      p.channels, p.plane, 1e-5f, dx.data(), dscale.data(), db, scratch.data());
            const double large = width == 1 ? 2e-3 : 2e-5;  // ρ of one value alone is 1/√ε
            check_close(dx, dx1, 1e-5, large, "dx");
            check_close(dscale, dscale1, 1e-5, 1e-6 * (double)(groups + 10), "dscale");
            check_close(dbias, dbias1, 1e-5, 1e-6 * (double)(groups + 10), "dbias");

            Buffer in_place = x;
            hadal_group_norm(in_place.data(), scale.data(), b, p.samples, p.groups, p.channels, p.plane, 1e-5f,
                             in_place.data(), m, variance.data());
            check_same(in_place, y, "y in place");
            in_place = dy;
            hadal_group_norm_backward(x.data(), in_place.data(), scale.data(), m, variance.data(), p.samples,
                                      p.groups, p.channels, p.plane, 1e-5f, in_place.data(), dscale.data(), db,
                                      scratch.data());
            check_same(in_place, dx, "dx in place");
            return joined({y, mean, variance, dx, dscale, dbias});
        }, p.plane == 1);
    }
}

// ---- softmax ----------------------------------------------------------------------------------------------

struct Lines {
    int64_t outer, length, inner;
    float scale;
};
const Lines kLines[] = {{0, 5, 1, 1},   {1, 1, 1, 1},     {3, 17, 1, 5},  {1000, 65, 1, 5}, {2, 50257, 1, 5},
                        {9, 100, 1, 1e4}, {1, 7, 5, 5}, {3, 31, 64, 30}, {2, 33, 257, 5}};

void test_softmax() {
    for (Lines p : kLines) {
        for (bool log : {false, true}) {
            const int64_t n = p.outer * p.length * p.inner;
            const Buffer x = normal(n, 19, p.scale), dy = normal(n, 20);
            std::vector<double> y1(n), dx1(n);
            for (int64_t line = 0; line < p.outer * p.inner; line++) {
                const int64_t first = line / p.inner * p.length * p.inner + line % p.inner;
                auto at = [&](int64_t k) { return first + k * p.inner; };
                float max = -kInf;
                double s = 0, total = 0;
                for (int64_t k = 0; k < p.length; k++) max = fmaxf(max, x[at(k)]);
                auto z = [&](int64_t k) { return (double)(x[at(k)] - max); };  // rounded, as for cross entropy
                for (int64_t k = 0; k < p.length; k++) s += exp(z(k));
                for (int64_t k = 0; k < p.length; k++) {
                    y1[at(k)] = log ? z(k) - ::log(s) : exp(z(k)) / s;
                    total += log ? dy[at(k)] : dy[at(k)] * y1[at(k)];
                }
                for (int64_t k = 0; k < p.length; k++) {
                    const double y = y1[at(k)];
                    dx1[at(k)] = log ? dy[at(k)] - exp(y) * total : y * (dy[at(k)] - total);
                }
            }
            everywhere("softmax " + std::to_string(p.length) + " by " + std::to_string(p.inner), [&] {
                Buffer y(n, kPoison), dx(n, kPoison);
                hadal_softmax(x.data(), p.outer, p.length, p.inner, log, y.data());
                hadal_softmax_backward(y.data(), dy.data(), p.outer, p.length, p.inner, log, dx.data());
                check_close(y, y1, 5e-7, log ? 1e-6 : 2e-38, "y");
                check_close(dx, dx1, 1e-6, 1e-5, "dx");

                Buffer in_place = x;
                hadal_softmax(in_place.data(), p.outer, p.length, p.inner, log, in_place.data());
                check_same(in_place, y, "y in place");
                in_place = dy;
                hadal_softmax_backward(y.data(), in_place.data(), p.outer, p.length, p.inner, log,
                                       in_place.data());
                check_same(in_place, dx, "dx in place");
                return joined({y, dx});
            }, p.inner == 1);
        }
    }
    everywhere("masked softmax", [&] {
        for (int64_t inner : {1, 3}) {
            for (int log : {0, 1}) {
                const int64_t length = 20, n = length * inner;
                Buffer x = normal(n, 21), y(n, kPoison);
                for (int64_t l = 0; l < inner; l++) x[3 * inner + l] = x[17 * inner + l] = -kInf;
                hadal_softmax(x.data(), 1, length, inner, log, y.data());
                for (int64_t l = 0; l < inner; l++) {
                    check(y[3 * inner + l] == (log ? -kInf : 0.0f), "what is masked is 0");
                    check(isfinite(y[4 * inner + l]), "what is not is not");
                }
                for (float& element : x) element = -kInf;
                hadal_softmax(x.data(), 1, length, inner, log, y.data());
                for (float element : y) check(isnan(element), "nothing but -Inf is NaN");
            }
        }
        return Buffer();
    });
}

// ---- pooling ----------------------------------------------------------------------------------------------

/** One axis as hadal.h lays it out, of a kernel that slides over it; taps outside are left out. */
std::vector<int32_t> axis_of(int in, int kernel, int stride, int pad, int dilation) {
    int out = (in + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
    std::vector<int32_t> first(out), count(out, 0), divisor(out, kernel), from(in, 0), until(in, 0);
    for (int o = 0; o < out; o++) {
        for (int k = 0; k < kernel; k++) {
            int at = o * stride - pad + k * dilation;
            if (at < 0 || at >= in) continue;
            if (count[o]++ == 0) first[o] = at;
            if (until[at] == 0) from[at] = o;
            until[at] = o + 1;
        }
    }
    std::vector<int32_t> axis = {in, out, dilation};
    for (auto* part : {&first, &count, &divisor, &from, &until}) axis.insert(axis.end(), part->begin(), part->end());
    return axis;
}

void test_pooling() {
    const int images = 2, h = 9, w = 11;
    for (int channels : {1, 3, 8, 17, 64, 4000}) {
        for (int dilation : {1, 2}) {
            const std::vector<int32_t> rows = axis_of(h, 3, 2, 1, dilation), columns = axis_of(w, 2, 1, 1, 1);
            const int oh = rows[1], ow = columns[1];
            Buffer x = normal(images * h * w * channels, 21), dy = normal(images * oh * ow * channels, 22);
            for (float& element : x) element = rintf(element * 2);  // so that many are equal
            for (size_t i = 5; i < x.size(); i += 101) x[i] = kNaN;
            std::vector<double> max1(dy.size()), mean1(dy.size()), dmax1(x.size()), dmean1(x.size());
            std::vector<int32_t> index1(dy.size());
            for (int c = 0; c < channels; c++) {
                for (int y = 0; y < images * oh * ow; y++) {
                    int n = y / (oh * ow), r = y / ow % oh, k = y % ow, at = y * channels + c;
                    int found = -1;
                    for (int i = 0; i < rows[3 + oh + r]; i++) {
                        for (int j = 0; j < columns[3 + ow + k]; j++) {
                            int place = (rows[3 + r] + i * dilation) * w + columns[3 + k] + j;
                            int xi = (n * h * w + place) * channels + c;
                            if (found < 0 || x[xi] > max1[at] || isnan(x[xi])) max1[at] = x[xi], found = place;
                            mean1[at] += x[xi] / 6.0;
                            dmean1[xi] += dy[at] / 6.0;
                        }
                    }
                    index1[at] = found;
                    dmax1[(n * h * w + found) * channels + c] += dy[at];
                }
            }
            everywhere("pooling of " + std::to_string(channels) + " channels", [&] {
                Buffer max(dy.size(), kPoison), mean(dy.size(), kPoison);
                Buffer dmax(x.size(), kPoison), dmean(x.size(), kPoison);
                std::vector<int32_t> index(dy.size(), -7);
                hadal_max_pool(x.data(), rows.data(), columns.data(), images, channels, max.data(), index.data());
                hadal_average_pool(x.data(), rows.data(), columns.data(), images, channels, mean.data());
                hadal_max_pool_backward(dy.data(), index.data(), rows.data(), columns.data(), images, channels,
                                        dmax.data());
                hadal_average_pool_backward(dy.data(), rows.data(), columns.data(), images, channels,
                                            dmean.data());
                check(index == index1, "the places of the largest");
                for (size_t i = 0; i < max.size(); i++) {
                    check(isnan(max[i]) == isnan(max1[i]) && isnan(mean[i]) == isnan(mean1[i]), "NaN");
                    check(isnan(max1[i]) || max[i] == max1[i], "the largest");
                    check(isnan(mean1[i]) || fabs(mean[i] - mean1[i]) <= 1e-6, "the mean");
                    if (isnan(mean1[i])) max[i] = mean[i] = 0;
                }
                check_close(dmax, dmax1, 1e-6, 1e-6, "dx of the largest");
                check_close(dmean, dmean1, 1e-6, 1e-6, "dx of the mean");
                return joined({max, mean, dmax, dmean});
            });
        }
    }
}

// ---- dropout ----------------------------------------------------------------------------------------------

/** Philox4x32-10 as its paper has it. */
std::vector<uint32_t> philox(std::vector<uint32_t> c, uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
        c = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
    }
    return c;
}

void test_dropout() {
    // The known answers of Random123.
    where = "philox";
    check(philox({0, 0, 0, 0}, 0, 0) == std::vector<uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, "0");
    check(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
              std::vector<uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
          "pi");
    const int32_t random[] = {(int32_t)0xa4093822, 0x299f31d0, (int32_t)0x85a308d3, 0};
    const int64_t stream = 0x0370734413198a2e;
    const int threshold = 5033165;  // a rate of 0.3
    const float scale = 1 / 0.7f;
    for (int64_t n : kSizes) {
        const Buffer x = normal(n, 31);
        Buffer expected(n);
        for (int64_t i = 0; i < n; i++) {
            uint32_t word = philox({(uint32_t)(i / 4), 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822,
                                   0x299f31d0)[i % 4];
            expected[i] = x[i] * ((int)(word >> 8) >= threshold ? scale : 0.0f);
        }
        everywhere("dropout of " + std::to_string(n), [&] {
            Buffer y(n, kPoison), in_place = x;
            hadal_dropout(x.data(), n, random, stream, threshold, scale, y.data());
            check_same(y, expected, "y");
            hadal_dropout(in_place.data(), n, random, stream, threshold, scale, in_place.data());
            check_same(in_place, expected, "y in place");
            return y;
        });
    }
}

}  // namespace

// ---- elementwise ------------------------------------------------------------------------------------------

using Kernel = std::function<void(const float* x, int64_t n, float* y)>;
using Formula = std::function<double(double x)>;

/** In place and not, on normal values and the odd ones, NaN among them. */
void test_elementwise(const std::string& name, const Kernel& kernel, double relative, const Formula& formula,
                      bool fused = false) {
    for (int64_t n : kSizes) {
        Buffer x = normal(n, 7, 3.0f);
        const float odd[] = {kNaN, 0.0f, -0.0f, 1e-30f, -1e-30f, -1e-4f, 20.0f, -20.0f, 88.0f, -88.0f, 1e30f, -1e30f};
        for (int64_t i = 0; i < 12 && i < n / 2; i++) x[2 * i] = odd[i];
        std::vector<double> expected(n);
        for (int64_t i = 0; i < n; i++) expected[i] = isnan(x[i]) ? 0.0 : formula(x[i]);
        everywhere(name + " of " + std::to_string(n), [&] {
            Buffer y(n, kPoison), in_place = x;
            kernel(x.data(), n, y.data());
            kernel(in_place.data(), n, in_place.data());
            check_same(in_place, y, "in place");
            for (int64_t i = 0; i < n; i++) {
                check(isnan(x[i]) == isnan(y[i]), "NaN must show, and nothing else be it");
                if (isnan(x[i])) y[i] = 0.0f;  // whose sign nobody promises
            }
            check_close(y, expected, relative, 1e-36, "y");
            return y;
        }, fused);
    }
}

/** GELU and its slope, each 4 more than it is: they may not be off by more than such a sum. */
void test_gelu() {
    for (bool tanh : {false, true}) {
        const std::string form = tanh ? "gelu_tanh" : "gelu";
        auto z = [](double x) { return sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x); };
        auto share = [=](double x) { return tanh ? 1 / (1 + exp(-2 * z(x))) : erfc(-x / M_SQRT2) / 2; };
        auto density = [=](double x) {
            if (!tanh) return exp(-x * x / 2) / sqrt(2 * M_PI);
            double t = ::tanh(z(x));
            return t * t == 1 ? 0 : 0.5 * (1 - t * t) * sqrt(2.0 / M_PI) * (1.0 + 3.0 * 0.044715 * x * x);
        };
        test_elementwise(
            form,
            [=](const float* x, int64_t n, float* y) {
                hadal_gelu(x, n, tanh, y);
                for (int64_t i = 0; i < n; i++) y[i] += 4.0f;
            },
            3e-8 * 4, [=](double x) { return x * share(x) + 4.0; }, true);
        test_elementwise(
            form + "_backward",
            [=](const float* x, int64_t n, float* dx) {
                Buffer ones(n, 1.0f);
                hadal_gelu_backward(x, ones.data(), n, tanh, dx);
                for (int64_t i = 0; i < n; i++) dx[i] += 4.0f;
            },
            3e-8 * 4, [=](double x) { return share(x) + x * density(x) + 4.0; }, true);
    }
    where = "gelu";
    const float x[] = {kInf, -kInf, -0.0f, 1e-38f, -6.0f}, ones[] = {1, 1, 1, 1, 1};
    float y[5], dx[5];
    for (int tanh : {0, 1}) {
        hadal_gelu(x, 5, tanh, y);
        hadal_gelu_backward(x, ones, 5, tanh, dx);
        check(y[0] == kInf && y[1] == 0 && y[2] == 0 && fabs(y[3] - 5e-39f) < 1e-44, "at the edges");
        check(y[4] < 0 && y[4] > -1e-7f, "far below");
        check(dx[0] == 1 && dx[1] == 0 && dx[2] == 0.5f, "slopes at the edges");
    }
}

void test_elementwise() {
    const double unit = 6e-8;
    test_elementwise(
        "elu", [](const float* x, int64_t n, float* y) { hadal_elu(x, n, 1.5f, 0.25f, y); }, 6 * unit,
        [](double x) { return x > 0 ? 1.5 * x : 0.25 * expm1(x); });
    test_elementwise(
        "elu_backward",
        [](const float* y, int64_t n, float* dx) {
            Buffer threes(n, 3.0f);
            hadal_elu_backward(y, threes.data(), n, 1.5f, 200.0f, dx);
        },
        2 * unit, [](double y) { return 3.0 * (y > 0 ? 1.5 : y + 200.0); });
    test_elementwise(
        "clip", [](const float* x, int64_t n, float* y) { hadal_clip(x, n, 0.5f, 64.0f, 66.0f, y); }, 2 * unit,
        [](double x) { return fmin(fmax(0.5 * x + 64.0, 0.0), 66.0); });
    test_elementwise("softplus", hadal_softplus, 8 * unit,
                     [](double x) { return fmax(x, 0.0) + log1p(exp(-fabs(x))); });
    test_elementwise("mish", hadal_mish, 8 * unit,
                     [](double x) { return x * tanh(fmax(x, 0.0) + log1p(exp(-fabs(x)))); });
    test_elementwise(
        "mish_backward",
        [](const float* x, int64_t n, float* dx) {
            Buffer ones(n, 1.0f);
            hadal_mish_backward(x, ones.data(), n, dx);
            for (int64_t i = 0; i < n; i++) dx[i] += 4.0f;  // it crosses 0; but it may not be off by more
        },
        6 * unit,
        [](double x) {
            double t = tanh(fmax(x, 0.0) + log1p(exp(-fabs(x))));
            return t + x * (1.0 - t * t) / (1.0 + exp(-x)) + 4.0;
        });
    test_gelu();
}

// ---- products ---------------------------------------------------------------------------------------------

void test_small_matmul() {
    const int64_t sizes[][3] = {{0, 3, 5}, {3, 0, 5}, {3, 5, 0}, {1, 1, 1},   {16, 16, 16}, {7, 5, 3},    {15, 33, 17},
                                {64, 64, 64}, {1, 256, 16}, {1000, 4, 31}, {3, 1, 4096}, {2, 4096 / 16, 10}};
    for (auto [m, k, n] : sizes) {
        for (bool transpose_a : {false, true}) {
            for (bool transpose_b : {false, true}) {
                const Buffer a = normal(m * k, 31), b = normal(k * n, 32);
                std::vector<double> y1(m * n);
                for (int64_t i = 0; i < m; i++)
                    for (int64_t j = 0; j < n; j++)
                        for (int64_t l = 0; l < k; l++)
                            y1[i * n + j] += (double)a[transpose_a ? l * m + i : i * k + l] *
                                             (double)b[transpose_b ? j * k + l : l * n + j];
                everywhere("small product of " + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n), [&] {
                    Buffer y(m * n, kPoison);
                    hadal_small_matmul(a.data(), b.data(), m, k, n, transpose_a, transpose_b, y.data());
                    check_close(y, y1, 1e-6, 2e-7 * (double)(k + 4), "y");
                    return y;
                }, true);
            }
        }
    }
}

/** Also where a window reads beyond the image, or nothing of it. */
void test_convolution_weights() {
    struct Axis {
        int64_t in, out, taps, stride, dilation, pad;
    };
    struct Case {
        int64_t images, channels, filters;
        Axis h, w;
    };
    const Case cases[] = {{1, 16, 16, {1, 1, 1, 1, 1, 0}, {1, 1, 1, 1, 1, 0}},
                          {3, 32, 64, {9, 9, 3, 1, 1, 1}, {7, 7, 3, 1, 1, 1}},
                          {2, 48, 80, {12, 5, 3, 2, 1, 0}, {11, 9, 2, 1, 2, 0}},
                          {2, 16, 32, {40, 40, 1, 1, 1, 0}, {30, 10, 1, 3, 1, 0}},
                          {1, 16, 48, {2, 4, 5, 1, 1, 3}, {3, 1, 3, 2, 1, 0}}};
    for (const Case& c : cases) {
        const Buffer x = normal(c.images * c.h.in * c.w.in * c.channels, 33),
                     dy = normal(c.images * c.h.out * c.w.out * c.filters, 34);
        const int64_t taps = c.h.taps * c.w.taps, size = taps * c.channels * c.filters;
        std::vector<double> dw1(size);
        for (int64_t n = 0; n < c.images; n++)
            for (int64_t oh = 0; oh < c.h.out; oh++)
                for (int64_t ow = 0; ow < c.w.out; ow++)
                    for (int64_t tap = 0; tap < taps; tap++) {
                        const int64_t ih = oh * c.h.stride + tap / c.w.taps * c.h.dilation - c.h.pad;
                        const int64_t iw = ow * c.w.stride + tap % c.w.taps * c.w.dilation - c.w.pad;
                        if (ih < 0 || ih >= c.h.in || iw < 0 || iw >= c.w.in) continue;
                        const float* xs = x.data() + ((n * c.h.in + ih) * c.w.in + iw) * c.channels;
                        const float* dys = dy.data() + ((n * c.h.out + oh) * c.w.out + ow) * c.filters;
                        for (int64_t i = 0; i < c.channels; i++)
                            for (int64_t k = 0; k < c.filters; k++)
                                dw1[(((k / 16 * (c.channels / 16) + i / 16) * taps + tap) * 16 + i % 16) * 16 + k % 16] +=
                                    (double)xs[i] * (double)dys[k];
                    }
        const int64_t axes[] = {c.h.in, c.h.out, c.h.taps, c.h.stride, c.h.dilation, c.h.pad,
                                c.w.in, c.w.out, c.w.taps, c.w.stride, c.w.dilation, c.w.pad};
        everywhere("convolution weights " + std::to_string(c.channels) + " to " + std::to_string(c.filters), [&] {
            Buffer dw(size, kPoison);
            hadal_convolution_weights(x.data(), dy.data(), c.images, c.channels, c.filters, axes, dw.data());
            check_close(dw, dw1, 1e-6, 2e-7 * (double)(c.images * c.h.out * c.w.out + 4), "dw");
            return dw;
        }, true);
    }
}

// ---- moves ------------------------------------------------------------------------------------------------

/** A box of values and where it lies in x and in y. */
struct Box {
    const char* name;
    std::vector<int64_t> lengths, from, to;
    int64_t x_start, x_size, y_size;
};

/** As hadal.h says, one value after the other; what the box leaves out of y stays poison. */
void test_copy() {
    const Box boxes[] = {
        {"a scalar", {}, {}, {}, 0, 1, 1},
        {"nothing", {3, 0, 5}, {0, 1, 1}, {0, 1, 1}, 0, 1, 1},
        {"a transpose", {65, 33}, {1, 65}, {33, 1}, 0, 65 * 33, 65 * 33},
        {"a large transpose", {3, 257, 129}, {257 * 129, 1, 257}, {257 * 129, 129, 1}, 0, 3 * 257 * 129, 3 * 257 * 129},
        {"axes rotated", {7, 31, 17, 3}, {31 * 17, 17, 1, 7 * 31 * 17}, {31 * 17 * 3, 17 * 3, 3, 1}, 0, 11067, 11067},
        {"an expansion of rows", {7, 33}, {0, 1}, {33, 1}, 0, 33, 7 * 33},
        {"an expansion of columns", {33, 7}, {1, 0}, {7, 1}, 0, 33, 7 * 33},
        {"an expansion of one value", {50000}, {0}, {1}, 0, 1, 50000},
        {"a slice with steps", {3, 5}, {40, 3}, {5, 1}, 2, 3 * 40, 15},
        {"a slice backwards", {17}, {-2}, {1}, 32, 33, 17},
        {"a part of y", {5, 7}, {7, 1}, {20, 2}, 0, 35, 100},
    };
    for (const Box& box : boxes) {
        Buffer x = normal(box.x_size, 3);
        Buffer expected(box.y_size, kPoison);
        int64_t elements = 1;
        for (int64_t length : box.lengths) elements *= length;
        for (int64_t i = 0; i < elements; i++) {
            int64_t from = box.x_start, to = 0, rest = i;
            for (int a = (int)box.lengths.size() - 1; a >= 0; a--) {
                from += rest % box.lengths[a] * box.from[a];
                to += rest % box.lengths[a] * box.to[a];
                rest /= box.lengths[a];
            }
            expected[to] = x[from];
        }
        everywhere(std::string("copy of ") + box.name, [&] {
            Buffer y(box.y_size, kPoison);
            hadal_copy(x.data() + box.x_start, y.data(), (int)box.lengths.size(), box.lengths.data(),
                       box.from.data(), box.to.data());
            check_same(y, expected, "y");
            return y;
        });
    }
    everywhere("fill", [&] {
        Buffer y(50001, kPoison), expected(50001, -2.5f);
        uint32_t bits;
        memcpy(&bits, expected.data(), sizeof bits);
        expected[50000] = kPoison;
        hadal_fill(y.data(), 50000, bits);
        check_same(y, expected, "y");
        return y;
    });
}

void test_gather_and_scatter_add() {
    for (int64_t width : {1, 7, 64, 1000}) {
        const int64_t outer = 3, rows = 9, count = 41;
        std::vector<int32_t> indices(count);
        for (int64_t i = 0; i < count; i++) indices[i] = (int32_t)(i * i % rows);
        Buffer x = normal(outer * rows * width, 4), updates = normal(outer * count * width, 5, 1e4f);
        Buffer gathered(outer * count * width), added = x;
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < count; i++)
                for (int64_t j = 0; j < width; j++) {
                    int64_t at = (o * count + i) * width + j, row = (o * rows + indices[i]) * width + j;
                    gathered[at] = x[row];
                    added[row] += updates[at];  // in the order of the indices, to the last bit
                }
        everywhere("gather and scatter_add of rows of " + std::to_string(width), [&] {
            Buffer y(outer * count * width, kPoison), sums = x;
            check(hadal_gather(x.data(), indices.data(), outer, rows, width, count, y.data()) == -1, "gather");
            check_same(y, gathered, "y");
            check(hadal_scatter_add(sums.data(), indices.data(), updates.data(), outer, rows, width, count) == -1,
                  "scatter_add");
            check_same(sums, added, "sums");
            for (int32_t outside : {-1, (int32_t)rows, INT32_MIN, INT32_MAX}) {
                std::vector<int32_t> wrong = indices;
                wrong[40] = 0;
                wrong[17] = outside;
                Buffer untouched(outer * count * width, kPoison), before = x;
                check(hadal_gather(x.data(), wrong.data(), outer, rows, width, count, untouched.data()) == 17,
                      "gather tells which index is outside");
                check_same(untouched, Buffer(outer * count * width, kPoison), "y of a refused gather");
                check(hadal_scatter_add(before.data(), wrong.data(), updates.data(), outer, rows, width, count) == 17,
                      "scatter_add tells which index is outside");
                check_same(before, x, "y of a refused scatter_add");
            }
            return joined({y, sums});
        });
    }
}

// ---- products of sparse weights ------------------------------------------------------------------------------

uint16_t bf16(float x) {
    uint16_t y;
    hadal_narrow(&x, 1, &y);
    return y;
}

float f32(uint16_t x) {
    float y;
    hadal_widen(&x, 1, &y);
    return y;
}

/** Weights of which few blocks are kept, and what they are to be multiplied with; all values are bf16. */
struct SparseProblem {
    int64_t n, in, out, height;
    std::vector<int32_t> columns, starts = {0};
    Buffer values, x, bias;

    SparseProblem(int64_t n, int64_t in, int64_t out, int64_t height, double density)
        : n(n), in(in), out(out), height(height) {
        std::mt19937 random(7);
        std::uniform_real_distribution<double> uniform(0, 1);
        for (int64_t r = 0; r < block_rows(); r++) {
            // Some rows of blocks are empty, some whole.
            const double kept = r % 5 == 1 ? 0.0 : r % 5 == 3 ? 1.0 : density;
            for (int64_t k = 0; k < in; k++)
                if (uniform(random) < kept) columns.push_back((int32_t)k);
            starts.push_back((int32_t)columns.size());
        }
        values = rounded(normal(blocks() * height, 1));
        x = rounded(normal(n * in, 2));
        bias = normal(out, 3);
    }

    int64_t block_rows() const { return (out + height - 1) / height; }
    int64_t blocks() const { return (int64_t)columns.size(); }

    static Buffer rounded(Buffer x) {
        for (float& each : x) each = f32(bf16(each));
        return x;
    }

    /** The formula, by element, with how far a sum in float may be off. */
    void expect(bool with_bias, float slope, std::vector<double>& y, std::vector<double>& error) const {
        for (int64_t i = 0; i < n; i++)
            for (int64_t o = 0; o < out; o++) {
                double sum = with_bias ? bias[o] : 0.0, size = fabs(sum);
                for (int64_t b = starts[o / height]; b < starts[o / height + 1]; b++) {
                    double product = (double)values[b * height + o % height] * x[i * in + columns[b]];
                    sum += product;
                    size += fabs(product);
                }
                y.push_back(sum < 0 ? sum * slope : sum);
                error.push_back(size * 6e-8 * (double)(in + 3));
            }
    }

    Buffer scratch(int bf16) const {
        return Buffer(hadal_sparse_matmul_scratch(n, in, out, blocks(), height, bf16), kPoison);
    }
};

void test_sparse_matmul() {
    for (int64_t height : {1, 2, 4, 5, 8, 12, 16, 32})
        for (int64_t n : {0, 1, 7, 33, 300})
            for (int64_t in : {1, 37, 64}) {
                const bool with_bias = n % 2 == 1, large = height == 1 && n == 300;
                const float slope = in == 37 ? 0.25f : 1.0f;
                const SparseProblem p(large ? 1100 : n, in, in == 1 ? 3 : 75, height, 0.2);
                const float* bias = with_bias ? p.bias.data() : nullptr;
                std::vector<double> expected, error;
                p.expect(with_bias, slope, expected, error);
                std::vector<uint16_t> x(p.x.size()), values(p.values.size());
                hadal_narrow(p.x.data(), (int64_t)x.size(), x.data());
                hadal_narrow(p.values.data(), (int64_t)values.size(), values.data());
                everywhere("sparse_matmul of height " + std::to_string(height) + ", n " + std::to_string(p.n) + ", in " +
                               std::to_string(in),
                           [&] {
                    Buffer y(p.n * p.out, kPoison), y16(p.n * p.out, kPoison), scratch = p.scratch(0);
                    std::vector<uint16_t> narrow(p.n * p.out, 0xffff);
                    check(hadal_sparse_matmul(p.x.data(), p.values.data(), p.columns.data(), p.starts.data(), bias, p.n,
                                              in, p.out, p.blocks(), height, slope, y.data(), scratch.data()) == -1,
                          "no fault");
                    scratch = p.scratch(1);
                    for (int rounds : {0, 1}) {
                        check(hadal_sparse_matmul_bf16(x.data(), values.data(), p.columns.data(), p.starts.data(), bias,
                                                       p.n, in, p.out, p.blocks(), height, slope, rounds,
                                                       rounds ? (void*)narrow.data() : y16.data(),
                                                       scratch.data()) == -1,
                              "no fault in bf16");
                    }
                    for (size_t i = 0; i < y.size(); i++) {
                        check(fabs(y[i] - expected[i]) <= error[i], "y[" + std::to_string(i) + "] of f32");
                        check(fabs(y16[i] - expected[i]) <= error[i], "y[" + std::to_string(i) + "] of bf16");
                        check(narrow[i] == bf16(y16[i]), "y[" + std::to_string(i) + "] in bf16");
                    }
                    return joined({y, y16});
                }, true);
            }
}

void test_sparse_matmul_of_odd_values() {
    // Each output keeps the one input of its own number; inputs 0, 1 and 2 are not numbers.
    for (int64_t n : {2, 9}) {
        SparseProblem p(n, 9, 9, 1, 0);
        p.columns = {0, 1, 2, 3, 4, 5, 6, 7, 8};
        p.starts = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
        p.values = Buffer(9, 1.0f);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k < 3; k++) p.x[i * 9 + k] = k == 0 ? kNaN : k == 1 ? kInf : -kInf;
        std::vector<uint16_t> x(p.x.size()), values(p.values.size());
        hadal_narrow(p.x.data(), (int64_t)x.size(), x.data());
        hadal_narrow(p.values.data(), (int64_t)values.size(), values.data());
        everywhere("sparse_matmul of values that are none", [&] {
            Buffer y(n * 9, kPoison), y16(n * 9, kPoison), scratch = p.scratch(0), scratch16 = p.scratch(1);
            hadal_sparse_matmul(p.x.data(), p.values.data(), p.columns.data(), p.starts.data(), nullptr, n, 9, 9, 9, 1,
                                0.5f, y.data(), scratch.data());
            hadal_sparse_matmul_bf16(x.data(), values.data(), p.columns.data(), p.starts.data(), nullptr, n, 9, 9, 9, 1,
                                     0.5f, 0, y16.data(), scratch16.data());
            for (int64_t i = 0; i < n * 9; i++) {
                const float wanted = p.x[i] < 0 ? p.x[i] / 2 : p.x[i];
                check(i % 9 == 0 ? y[i] != y[i] : y[i] == wanted, "f32 " + std::to_string(i));
                check(i % 9 == 0 ? y16[i] != y16[i] : y16[i] == wanted, "bf16 " + std::to_string(i));
            }
            return Buffer();
        }, true);
    }
}

void test_sparse_matmul_of_misplaced_blocks() {
    const SparseProblem p(9, 20, 24, 8, 0.5);
    const int64_t blocks = p.blocks();
    auto refused = [&](const std::vector<int32_t>& columns, const std::vector<int32_t>& starts, int64_t fault) {
        everywhere("sparse_matmul of misplaced blocks", [&] {
            Buffer y(9 * 24, kPoison), scratch = p.scratch(0);
            check(hadal_sparse_matmul(p.x.data(), p.values.data(), columns.data(), starts.data(), nullptr, 9, 20, 24,
                                      blocks, 8, 1.0f, y.data(), scratch.data()) == fault,
                  "the fault " + std::to_string(fault));
            check_same(y, Buffer(9 * 24, kPoison), "y of a refused product");
            return y;
        });
    };
    for (int32_t outside : {-1, 20, INT32_MIN, INT32_MAX}) {
        std::vector<int32_t> columns = p.columns;
        columns[blocks - 1] = columns[5] = outside;
        refused(columns, p.starts, 5);
    }
    for (int32_t outside : {-1, (int32_t)blocks + 1, INT32_MIN, INT32_MAX}) {
        std::vector<int32_t> starts = p.starts;
        starts[2] = outside;
        refused(p.columns, starts, blocks + 2);
    }
    refused(p.columns, {3, 2, 2, (int32_t)blocks}, blocks + 1);
    refused(p.columns, {0, 2, 4, (int32_t)blocks + 1}, blocks + 3);
}

// ---- averages and clipping --------------------------------------------------------------------------------

void test_moving_average() {
    for (int64_t n : kSizes) {
        Buffer before = normal(n, 1), w = normal(n, 2), expected(n);
        const float beta = 0.9f;
        for (int64_t i = 0; i < n; i++) expected[i] = beta * before[i] + (1.0f - beta) * w[i];
        everywhere("moving_average of " + std::to_string(n), [&] {
            Buffer e = before;
            float norm = 1.0f;
            hadal_moving_average(e.data(), w.data(), n, beta, &norm);
            check_same(e, expected, "e");
            for (float odd : {kInf, kNaN}) {
                Buffer kept = before;
                hadal_moving_average(kept.data(), w.data(), n, beta, &odd);
                check_same(kept, before, "e after a norm that is not finite");
            }
            return e;
        });
    }
}

void test_clip_norm() {
    for (int64_t n : kSizes) {
        Buffer g = normal(n, 1);
        double square = 0;
        for (float element : g) square += (double)element * element;
        for (float limit : {0.25f, 1e6f}) {
            double factor = fmin(1.0, limit / (sqrt(square) + 1e-6));
            std::vector<double> expected(n);
            for (int64_t i = 0; i < n; i++) expected[i] = g[i] * factor;
            everywhere("clip_norm of " + std::to_string(n) + " to " + std::to_string(limit), [&] {
                Buffer y(n, kPoison), in_place = g;
                hadal_clip_norm(g.data(), n, limit, y.data());
                hadal_clip_norm(in_place.data(), n, limit, in_place.data());
                check_same(in_place, y, "in place");
                check_close(y, expected, 4 * 6e-8, 0, "y");
                if (factor == 1.0) check_same(y, g, "what is within the limit");
                return y;
            });
        }
    }
}

void test_attention_mask() {
    const int64_t n = 2, heads = 3, queries = 5, keys = 7, size = n * heads * queries * keys;
    std::vector<float> x(size), y(size);
    for (int64_t i = 0; i < size; i++) x[i] = (float)(i % 11) - 5;
    const int32_t lengths[] = {7, 2};
    for (int causal = 0; causal < 2; causal++) {
        for (const int32_t* given : {(const int32_t*)nullptr, lengths}) {
            hadal_attention_mask(x.data(), given, n, heads, queries, keys, causal, 0.5f, -3, y.data());
            for (int64_t i = 0; i < size; i++) {
                int64_t key = i % keys, query = i / keys % queries, sample = i / (keys * queries * heads);
                bool seen = (given == nullptr || key < given[sample]) && (causal == 0 || key <= query + keys - queries);
                check(y[i] == (seen ? 0.5f * x[i] : -3), "attention_mask");
            }
        }
    }
}

// ---- bytes ------------------------------------------------------------------------------------------------

using Bytes = std::vector<uint8_t>;

Bytes random_bytes(int64_t n, unsigned seed) {
    std::mt19937 random(seed);
    Bytes x(n);
    for (uint8_t& element : x) element = (uint8_t)random();
    return x;
}

Buffer floats_of(const Bytes& bytes) { return Buffer(bytes.begin(), bytes.end()); }

/** What real/scale becomes, of u8 or, flipped, of s8. */
uint8_t byte_of(double real, double scale, int zero, int flip) {
    double q = isnan(real) ? zero : nearbyint(real / scale) + zero;
    return (uint8_t)((int)fmax(0, fmin(255, q)) ^ flip);
}

void test_conversions_of_bytes() {
    for (int64_t n : kSizes) {
        for (int flip : {0, 0x80}) {
            Buffer x = normal(n, 3, 40.0f);
            if (n > 7) x[3] = kNaN, x[4] = kInf, x[5] = -kInf, x[6] = 0.5f;
            const float scale = 0.5f;  // of which the inverse is exact
            everywhere("quantize of " + std::to_string(n), [&] {
                Bytes q(n, 77);
                hadal_quantize(x.data(), 1, 1, n, &scale, 100, flip, 0, q.data());
                for (int64_t i = 0; i < n; i++) check(q[i] == byte_of(x[i], scale, 100, flip), "a byte");
                Buffer back(n, kPoison);
                hadal_dequantize(q.data(), 1, 1, n, &scale, 100, flip, back.data());
                for (int64_t i = 0; i < n; i++) check(back[i] == 0.5f * ((q[i] ^ flip) - 100), "a number");
                return joined({floats_of(q), back});
            });
        }
    }
    const int64_t outer = 3, channels = 5, inner = 1500;
    Buffer x = normal(outer * channels * inner, 4, 9.0f);
    const float scales[] = {0.5f, 1.0f, 2.0f, 0.25f, 0.125f};
    everywhere("quantize by channel", [&] {
        Bytes plain(x.size(), 77), last(x.size(), 77);
        hadal_quantize(x.data(), outer, channels, inner, scales, 128, 0x80, 0, plain.data());
        hadal_quantize(x.data(), outer, channels, inner, scales, 128, 0x80, 1, last.data());
        Buffer back(x.size(), kPoison);
        hadal_dequantize(plain.data(), outer, channels, inner, scales, 128, 0x80, back.data());
        for (int64_t o = 0; o < outer; o++)
            for (int64_t c = 0; c < channels; c++)
                for (int64_t i = 0; i < inner; i++) {
                    int64_t at = (o * channels + c) * inner + i;
                    uint8_t expected = byte_of(x[at], scales[c], 128, 0x80);
                    check(plain[at] == expected, "a byte of a channel");
                    check(last[(o * inner + i) * channels + c] == expected, "a byte with its channels innermost");
                    check(back[at] == scales[c] * (int8_t)expected, "a number of a channel");
                }
        return joined({floats_of(plain), floats_of(last), back});
    });
}

void test_sums_and_tables_of_bytes() {
    for (int64_t n : kSizes) {
        Bytes a = random_bytes(n, 5), b = random_bytes(n, 6), table = random_bytes(256, 7);
        everywhere("add_bytes of " + std::to_string(n), [&] {
            Bytes y(n, 77), rectified = b, mapped(n, 77);
            hadal_add_bytes(a.data(), 0.5f, 100, 0, b.data(), 0.25f, 120, 0x80, n, 0, 90, 0x80, y.data());
            hadal_add_bytes(a.data(), 0.5f, 100, 0, rectified.data(), 0.25f, 120, 0x80, n, 1, 90, 0, rectified.data());
            hadal_map_bytes(table.data(), a.data(), n, mapped.data());
            for (int64_t i = 0; i < n; i++) {
                double sum = 0.5 * (a[i] - 100) + 0.25 * ((b[i] ^ 0x80) - 120);
                check(y[i] == byte_of(sum, 1, 90, 0x80), "a sum");
                check(rectified[i] == byte_of(fmax(0, sum), 1, 90, 0), "a rectified sum");
                check(mapped[i] == table[a[i]], "an entry");
            }
            return joined({floats_of(y), floats_of(rectified), floats_of(mapped)});
        });
    }
}

/** As hadal.h has an axis: windows of `window` at every `stride`, no padding. */
std::vector<int32_t> windows(int32_t in, int32_t window, int32_t stride) {
    int32_t out = (in - window) / stride + 1;
    std::vector<int32_t> axis = {in, out, 1};
    for (int32_t o = 0; o < out; o++) axis.push_back(o * stride);
    for (int part = 0; part < 2; part++)
        for (int32_t o = 0; o < out; o++) axis.push_back(window);
    axis.resize(axis.size() + 2 * in);  // only gradients read the rest
    return axis;
}

void test_pooling_of_bytes() {
    for (int32_t window : {1, 3, 300}) {
        for (int64_t channels : {1, 3, 64, 70}) {
            const int32_t in = window + 2, width = 5, columns_of_window = window < 4 ? window : 2;
            std::vector<int32_t> rows = windows(in, window, 2), columns = windows(width, columns_of_window, 1);
            const int64_t images = 2, out = (int64_t)rows[1] * columns[1];
            Bytes x = random_bytes(images * in * width * channels, 8);
            for (int flip : {0, 0x80}) {
                everywhere("pools of bytes, window " + std::to_string(window), [&] {
                    Bytes max(images * out * channels, 77), mean(max.size(), 77);
                    Buffer real(max.size(), kPoison);
                    std::vector<int32_t> index(max.size(), -7);
                    hadal_max_pool_bytes(x.data(), rows.data(), columns.data(), images, channels, flip, max.data(),
                                         index.data());
                    hadal_average_pool_bytes(x.data(), 100, flip, rows.data(), columns.data(), images, channels, 0.7f,
                                             90, 0x80, mean.data(), nullptr);
                    hadal_average_pool_bytes(x.data(), 100, flip, rows.data(), columns.data(), images, channels, 0.7f, 0,
                                             0, nullptr, real.data());
                    for (size_t i = 0; i < max.size(); i++) {
                        int64_t c = i % channels, place = i / channels % out, image = i / channels / out;
                        int64_t h = place / columns[1] * 2, w = place % columns[1];
                        int best = -1;
                        int64_t found = -1, sum = 0;
                        for (int64_t a = h; a < h + window; a++)
                            for (int64_t b = w; b < w + columns_of_window; b++) {
                                int q = x[((image * in + a) * width + b) * channels + c] ^ flip;
                                sum += q - 100;
                                if (q > best) best = q, found = a * width + b;
                            }
                        double average = 0.7f * (double)sum / ((double)window * columns_of_window);
                        check((max[i] ^ flip) == best && index[i] == found, "the largest byte");
                        check(fabs(real[i] - average) <= 1e-5 * (1 + fabs(average)), "the mean of bytes");
                        check(abs((mean[i] ^ 0x80) - (byte_of(average, 1, 90, 0x80) ^ 0x80)) <= 1, "the mean as a byte");
                    }
                    return joined({floats_of(max), floats_of(mean), real});
                });
            }
        }
    }
}

void test_linear_bytes() {
    for (int64_t k : {1, 63, 64, 130, 784}) {
        for (int64_t n : {1, 3, 4, 37, 260}) {
            const int64_t m = 2;
            Bytes x = random_bytes(m * k, 9), bits = random_bytes(n * k, 10);
            const int8_t* w = (const int8_t*)bits.data();
            Buffer scales(n), bias = normal(n, 11);
            for (int64_t o = 0; o < n; o++) scales[o] = 0.001f + 0.0001f * (float)(o % 7);
            for (int zero : {0, 131}) {
                everywhere("linear_bytes of " + std::to_string(k) + " and " + std::to_string(n), [&] {
                    Buffer real(m * n, kPoison);
                    Bytes y(m * n, 77);
                    hadal_linear_bytes(x.data(), m, k, zero, w, n, scales.data(), bias.data(), 0, 1, 0, 0, nullptr,
                                       real.data());
                    hadal_linear_bytes(x.data(), m, k, zero, w, n, scales.data(), nullptr, 1, 2.0f, 100, 0x80, y.data(),
                                       nullptr);
                    for (int64_t i = 0; i < m * n; i++) {
                        int64_t sum = 0;
                        for (int64_t j = 0; j < k; j++) sum += (x[i / n * k + j] - zero) * w[i % n * k + j];
                        float product = (float)sum * scales[i % n];
                        check(real[i] == product + bias[i % n], "a product");
                        check(y[i] == byte_of(fmaxf(product, 0), 0.5, 100, 0x80), "a product as a byte");
                    }
                    return joined({real, floats_of(y)});
                });
            }
        }
    }
}

void test_copy_of_bytes() {
    where = "copy_bytes";
    Bytes x = random_bytes(6 * 70 * 9, 12), y(x.size(), 77);
    const int64_t lengths[] = {6, 70, 9}, from[] = {630, 9, 1}, to[] = {630, 1, 70};
    hadal_copy_bytes(x.data(), y.data(), 3, lengths, from, to);
    for (int64_t i = 0; i < 6 * 70 * 9; i++)
        check(y[i / 630 * 630 + i % 9 * 70 + i / 9 % 70] == x[i], "a byte moved");
}

// ---- ceilings ---------------------------------------------------------------------------------------------

static void test_peak() {
    where = "peak";
    Buffer memory = normal(1000, 1);
    check(hadal_peak(HADAL_PEAK_F32, nullptr, 0) > 1e6, "no multiply-adds");
    for (int kind : {HADAL_PEAK_BF16, HADAL_PEAK_INT8, HADAL_PEAK_TILE_BF16, HADAL_PEAK_TILE_INT8})
        check(hadal_peak(kind, nullptr, 0) >= 0, "less than none of kind " + std::to_string(kind));
    for (int kind : {HADAL_PEAK_STREAM, HADAL_PEAK_COPY}) {
        check(hadal_peak(kind, memory.data(), 1000) > 1e6, "no stream of kind " + std::to_string(kind));
        check(hadal_peak(kind, memory.data(), 3) == 0, "a stream without memory");
    }
    check(hadal_peak(-1, nullptr, 0) == 0, "an unknown kind");
}

int main() {
    printf("chosen at load: %s; %d threads\n", hadal_isa(), hadal_threads());
    check(hadal_abi_version() == HADAL_ABI_VERSION, "ABI version");
    check(hadal_set_threads(2) == 2 && hadal_threads() == 2 && hadal_set_threads(0) == 2, "set_threads");
    test_sum_of_squares();
    test_update();
    test_rounding();
    test_a_norm_that_is_not_finite_writes_nothing();
    test_the_moments_of_dead_gradients_become_zero();
    test_elementwise();
    test_recurrent();
    test_small_matmul();
    test_convolution_weights();
    test_cross_entropy();
    test_cross_entropy_of_odd_logits_and_labels();
    test_group_norm();
    test_softmax();
    test_pooling();
    test_dropout();
    test_copy();
    test_gather_and_scatter_add();
    test_sparse_matmul();
    test_sparse_matmul_of_odd_values();
    test_sparse_matmul_of_misplaced_blocks();
    test_moving_average();
    test_clip_norm();
    test_attention_mask();
    test_conversions_of_bytes();
    test_sums_and_tables_of_bytes();
    test_pooling_of_bytes();
    test_linear_bytes();
    test_copy_of_bytes();
    test_peak();
    for (hadal::Isa isa : {hadal::Isa::baseline, hadal::Isa::avx2, hadal::Isa::avx512,
                           hadal::Isa::avx512_bf16})
        if (hadal::select(isa)) printf("tested: %s\n", hadal_isa());
    printf(failures == 0 ? "all passed\n" : "%d checks failed\n", failures);
    return failures == 0 ? 0 : 1;
}
