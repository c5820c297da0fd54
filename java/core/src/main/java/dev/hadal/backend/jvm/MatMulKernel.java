package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.Blocks.ceilDiv;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Tile;
import dev.hadal.graph.Type;
import dev.hadal.op.MatMul;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;

/**
 * y = a·b by panels (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008): for one block
 * of sums after the other, a is copied into panels of a few rows, b into panels of a few columns, each stored in the
 * order in which the tile reads it. Every element of y is one chain of sums in the order of k, so that neither blocks
 * nor threads change its bits.
 *
 * <p>In a batch, large products come one after the other, each on all threads; small ones come at once, one per thread.
 */
final class MatMulKernel {
    /** The sums of one block: a panel of b then stays in the nearest caches while all rows of a pass by. */
    private static final int DEPTH = 256;
    /** The rows of y in one task. */
    private static final int ROWS = 96;
    /** The products in a matrix of a batch from which on all threads share it. */
    private static final long LARGE = 4_000_000;

    private final MatMul op;
    private final Machine machine;
    private final int m;
    private final int k;
    private final int n;
    private final int tileRows;
    private final int tileColumns;
    private final int rowBlocks;
    private final int columnPanels;
    private final int depth;
    private final int[] bRows;

    // The scratch: a's panels, b's panels, and for each lane a block of one panel's width for the edges of y.
    private final int bPanels;
    private final int edges;
    private final int scratch;

    static Kernel prepare(MatMul op, List<Type> in, List<Type> out, Machine machine) {
        Shape a = in.get(0).shape();
        Shape b = in.get(1).shape();
        int k = op.k(a);
        int n = op.n(b);
        if (RowMatMul.suits(op, a, b)) {
            return RowMatMul.prepare(op, in, out, machine);
        }
        if (SmallMatMul.suits(op, a, b)) {
            return SmallMatMul.prepare(op, in, out, machine);
        }
        if (op.isOneProduct(a, b)) {
            MatMulKernel kernel = new MatMulKernel(op, a.size() / k, k, n, machine);
            return new HeapKernel(
                            kernel.name(),
                            in,
                            out,
                            (x, y, s) -> kernel.new Run(x[0].floats(), x[1].floats(), y[0].floats(), s, 0)
                                    .at(x[0].offset(), x[1].offset(), y[0].offset()))
                    .withScratch(kernel.scratch);
        }
        return batched(op, op.m(a), k, n, in, out, machine);
    }

    private static Kernel batched(MatMul op, int m, int k, int n, List<Type> in, List<Type> out, Machine machine) {
        List<Integer> batch = op.batch(in.get(0).shape(), in.get(1).shape());
        int[] itemsOfA = MatMul.items(in.get(0).shape(), batch);
        int[] itemsOfB = MatMul.items(in.get(1).shape(), batch);
        long work = (long) m * k * n;
        boolean large = work > LARGE || itemsOfA.length == 1;
        Machine outer = large ? machine.alone() : machine.forWork(itemsOfA.length * work / 8);
        MatMulKernel kernel = new MatMulKernel(op, m, k, n, large ? machine : machine.alone());
        return new HeapKernel(kernel.name(), in, out, (x, y, s) -> {
                    Run[] runs = new Run[outer.lanes()];
                    Arrays.setAll(
                            runs,
                            lane -> kernel
                            .new Run(x[0].floats(), x[1].floats(), y[0].floats(), s, lane * kernel.scratch));
                    Workers.Body item = (i, lane) -> runs[lane]
                            .at(
                                    x[0].offset() + itemsOfA[i] * m * k,
                                    x[1].offset() + itemsOfB[i] * k * n,
                                    y[0].offset() + i * m * n)
                            .run();
                    return () -> outer.forEach(itemsOfA.length, item);
                })
                .withScratch((long) outer.lanes() * kernel.scratch);
    }

    private MatMulKernel(MatMul op, int m, int k, int n, Machine machine) {
        this.op = op;
        this.m = m;
        this.k = k;
        this.n = n;
        this.machine = machine.forWork((long) m * k * n / 8);
        Tile tile = machine.simd().tile();
        tileRows = tile.rows();
        tileColumns = tile.columns();
        rowBlocks = ceilDiv(m, ROWS);
        columnPanels = ceilDiv(n, tileColumns);
        depth = Math.min(k, DEPTH);
        bRows = new int[depth];
        Arrays.setAll(bRows, l -> l * tileColumns);
        bPanels = rowBlocks * ROWS * depth;
        edges = bPanels + columnPanels * tileColumns * depth;
        scratch = edges + this.machine.lanes() * ROWS * tileColumns;
    }

    private String name() {
        return "java gemm " + tileRows + "x" + tileColumns + " ("
                + machine.simd().name() + ")";
    }

    private final class Run implements Runnable {
        private final float[] a;
        private final float[] b;
        private final float[] y;
        private final float[] panels;
        private final int panelsAt;
        private final Tile[] tiles;
        private final Workers.Body pack = this::pack;
        private final Workers.Body multiply = this::multiply;
        private int aAt;
        private int bAt;
        private int yAt;
        private int k0;
        private int count;

        Run(float[] a, float[] b, float[] y, Span scratch, int scratchAt) {
            this.a = a;
            this.b = b;
            this.y = y;
            panels = scratch.floats();
            panelsAt = scratch.offset() + scratchAt;
            tiles = machine.perLane(new Tile[0], machine.simd()::tile);
        }

        /** Moves on to other matrices of the same arrays. */
        Run at(int aAt, int bAt, int yAt) {
            this.aAt = aAt;
            this.bAt = bAt;
            this.yAt = yAt;
            return this;
        }

        @Override
        public void run() {
            for (k0 = 0; k0 < k; k0 += depth) {
                count = Math.min(depth, k - k0);
                machine.forEach(rowBlocks + columnPanels, pack);
                machine.forEach(rowBlocks * columnPanels, multiply);
            }
        }

        private void pack(int task, int lane) {
            if (task < rowBlocks) {
                for (int i = task * ROWS; i < Math.min(m, (task + 1) * ROWS); i += tileRows) {
                    packRows(i);
                }
            } else {
                packColumns((task - rowBlocks) * tileColumns);
            }
        }

        private void packRows(int i) {
            int rows = Math.min(tileRows, m - i);
            int to = panelsAt + i * count;
            if (op.transposeA()) {
                Packing.rows(count, rows, tileRows, a, aAt + k0 * m + i, m, panels, to);
            } else {
                Packing.columns(count, rows, tileRows, a, aAt + i * k + k0, k, panels, to);
            }
        }

        private void packColumns(int j) {
            int columns = Math.min(tileColumns, n - j);
            int to = panelsAt + bPanels + j * count;
            if (op.transposeB()) {
                Packing.columns(count, columns, tileColumns, b, bAt + j * k + k0, k, panels, to);
            } else {
                Packing.rows(count, columns, tileColumns, b, bAt + k0 * n + j, n, panels, to);
            }
        }

        /** One block of rows by one panel of columns; the block of a stays in the second-level cache. */
        private void multiply(int task, int lane) {
            int i = task / columnPanels * ROWS;
            int j = task % columnPanels * tileColumns;
            int rows = Math.min(ROWS, m - i);
            int columns = Math.min(tileColumns, n - j);
            int whole = columns == tileColumns ? rows / tileRows * tileRows : 0;
            int at = yAt + i * n + j;
            tile(lane, whole, i, j, y, at, n);
            if (whole < rows) {
                edge(lane, rows - whole, i + whole, columns, j, at + whole * n);
            }
        }

        /** Where y ends amid a tile, the tile works on a copy. */
        private void edge(int lane, int rows, int i, int columns, int j, int at) {
            int copy = panelsAt + edges + lane * ROWS * tileColumns;
            for (int r = 0; k0 > 0 && r < rows; r++) {
                System.arraycopy(y, at + r * n, panels, copy + r * tileColumns, columns);
            }
            tile(lane, ceilDiv(rows, tileRows) * tileRows, i, j, panels, copy, tileColumns);
            for (int r = 0; r < rows; r++) {
                System.arraycopy(panels, copy + r * tileColumns, y, at + r * n, columns);
            }
        }

        private void tile(int lane, int rows, int i, int j, float[] c, int cAt, int cStride) {
            int rowsAt = panelsAt + i * count;
            int columnsAt = panelsAt + bPanels + j * count;
            tiles[lane].multiply(rows, count, panels, rowsAt, panels, bRows, columnsAt, c, cAt, cStride, k0 > 0);
        }
    }
}
