package dev.hadal.run;

import dev.hadal.backend.Kernel;
import java.util.ArrayList;
import java.util.List;

/** The sequences of a session, each of one backend, or a copy between two, one after the other. */
final class Segments implements Kernel.Sequence {
    private final List<Segment> segments = new ArrayList<>();

    private record Segment(Kernel.Sequence sequence, int steps) {}

    void add(Kernel.Sequence sequence, int steps) {
        segments.add(new Segment(sequence, steps));
    }

    @Override
    public void run() {
        for (int i = 0; i < segments.size(); i++) { // an iterator would be garbage
            segments.get(i).sequence.run();
        }
    }

    @Override
    public void run(long[] nanos) {
        int done = 0;
        for (Segment segment : segments) {
            long[] some = new long[segment.steps];
            segment.sequence.run(some);
            System.arraycopy(some, 0, nanos, done, some.length);
            done += some.length;
        }
    }
}
