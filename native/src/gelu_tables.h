/*
 * GELU and its slope as piecewise polynomials, fitted by the compiler.
 *
 * f(x) = x·(1 − q(x)) with q(a) = ½·erfc(a/√2), or 1/(1 + e²ᶻ) with z = √(2/π)·(a + 0.044715·a³) for the form with tanh.
 * Either way q(−a) = 1 − q(a), so for a = |x| all there is to know is q(a):
 *
 *   f(x) = max(x, 0) − a·q(a)        f′(x) = w(a) if x < 0, else 1 − w(a), with w(a) = q(a) + a·q′(a)
 *
 * Both fall to 0: beyond 6.1 they are, to f32. Up to there, every 0.2 has a polynomial of degree 4 through the five
 * Chebyshev points; its error is below 4·10⁻⁸, half an f32 unit in the last place of 1.
 */
#pragma once

namespace hadal {
namespace HADAL_NAMESPACE {
namespace {

constexpr int kPieces = 32, kDegree = 4;
constexpr double kPiece = 0.2;

/** coefficients[j][k] belongs to rʲ, where a = kPiece·(k + r) and |r| ≤ ½; piece kPieces − 1 is 0. */
struct Pieces {
    float coefficients[kDegree + 1][kPieces];
};

constexpr double exp_of(double x) {
    double scaled = x / 1024, term = 1, sum = 1;
    for (int i = 1; i < 12; i++) sum += term *= scaled / i;
    for (int i = 0; i < 10; i++) sum *= sum;
    return sum;
}

constexpr double kRootOfTwoPerPi = 0.797884560802865356;

/** φ(a) = e^(−a²/2)/√(2π) */
constexpr double density(double a) { return kRootOfTwoPerPi / 2 * exp_of(-a * a / 2); }

/** ½·erfc(a/√2) = ½ − φ(a)·(a + a³/3 + a⁵/(3·5) + …) */
constexpr double tail(double a) {
    double term = a, sum = a;
    for (int i = 3; i < 200; i += 2) sum += term *= a * a / i;
    return 0.5 - density(a) * sum;
}

constexpr double tanh_tail(double a) { return 1 / (1 + exp_of(2 * kRootOfTwoPerPi * (a + 0.044715 * a * a * a))); }

/** kPiece·q(a), to be multiplied by a/kPiece. */
constexpr double gelu_of(double a) { return kPiece * tail(a); }
constexpr double tanh_gelu_of(double a) { return kPiece * tanh_tail(a); }
constexpr double gelu_slope_of(double a) { return tail(a) - a * density(a); }
constexpr double tanh_gelu_slope_of(double a) {
    double q = tanh_tail(a);
    return q - a * q * (1 - q) * 2 * kRootOfTwoPerPi * (1 + 3 * 0.044715 * a * a);
}

/** Newton's divided differences, multiplied out. */
constexpr Pieces fit(double f(double)) {
    const double points[kDegree + 1] = {-0.475528258147576786, -0.293892626146236565, 0, 0.293892626146236565,
                                        0.475528258147576786};
    Pieces pieces = {};
    for (int k = 0; k < kPieces - 1; k++) {
        double differences[kDegree + 1] = {}, power[kDegree + 1] = {1}, sum[kDegree + 1] = {};
        for (int i = 0; i <= kDegree; i++) differences[i] = f(kPiece * (k + points[i]));
        for (int order = 1; order <= kDegree; order++)
            for (int i = kDegree; i >= order; i--)
                differences[i] = (differences[i] - differences[i - 1]) / (points[i] - points[i - order]);
        for (int i = 0; i <= kDegree; i++) {
            for (int j = 0; j <= kDegree; j++) sum[j] += differences[i] * power[j];
            for (int j = kDegree; j >= 0; j--) power[j] = (j > 0 ? power[j - 1] : 0) - points[i] * power[j];
        }
        for (int j = 0; j <= kDegree; j++) pieces.coefficients[j][k] = (float)sum[j];
    }
    return pieces;
}

constexpr Pieces kGelu = fit(gelu_of), kGeluSlope = fit(gelu_slope_of);
constexpr Pieces kTanhGelu = fit(tanh_gelu_of), kTanhGeluSlope = fit(tanh_gelu_slope_of);

}  // namespace
}  // namespace HADAL_NAMESPACE
}  // namespace hadal
