package dev.hadal.onednn;

import java.util.List;

/** Several bound kernels as one. */
record InOrder(List<Steps.Recorded> parts) implements Steps.Recorded {

    @Override
    public void record(Steps steps) {
        parts.forEach(part -> part.record(steps));
    }

    @Override
    public void run() {
        parts.forEach(Steps.Recorded::run);
    }

    @Override
    public void close() {
        parts.forEach(Steps.Recorded::close);
    }
}
