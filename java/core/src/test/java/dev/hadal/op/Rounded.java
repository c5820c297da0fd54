package dev.hadal.op;

/**
 * A value in double precision, and how far off f32 arithmetic may be that computed it: running error analysis (Higham
 * 2002, section 3.3). Each operation adds u times the size of its result.
 */
record Rounded(double value, double error) {

    /** Known exactly. */
    static Rounded of(double value) {
        return new Rounded(value, 0);
    }

    private static Rounded after(double value, double error) {
        return new Rounded(value, error + Truth.U * (Math.abs(value) + error));
    }

    Rounded plus(Rounded b) {
        return after(value + b.value, error + b.error);
    }

    Rounded minus(Rounded b) {
        return after(value - b.value, error + b.error);
    }

    Rounded times(Rounded b) {
        return after(value * b.value, error * Math.abs(b.value) + b.error * Math.abs(value) + error * b.error);
    }

    Rounded times(double b) {
        return times(of(b));
    }

    Rounded over(Rounded b) {
        double least = Math.max(Math.abs(b.value) - b.error, Double.MIN_NORMAL);
        return after(value / b.value, (error + Math.abs(value / b.value) * b.error) / least);
    }

    /** The root's slope is at most 1/√x at the near end; near zero, the error's own root. */
    Rounded sqrt() {
        double root = Math.sqrt(value);
        return after(root, root == 0 ? Math.sqrt(error) : Math.min(Math.sqrt(error), error / root));
    }

    /** max(x, 0), which rounds nothing. */
    Rounded positive() {
        return new Rounded(Math.max(value, 0), error);
    }

    Rounded max(Rounded b) {
        return new Rounded(Math.max(value, b.value), Math.max(error, b.error));
    }

    Rounded clamp(double limit) {
        return new Rounded(Math.max(-limit, Math.min(limit, value)), error);
    }

    /** Either sign, where the value may be on either side of zero. */
    Rounded sign() {
        return new Rounded(Math.signum(value), Math.abs(value) <= error && error > 0 ? 2 : 0);
    }
}
