package dev.hadal.backend.jvm;

/**
 * How a convolution's batch is divided: into blocks of some images, or of some lines of one image.
 *
 * @param images the images of a block
 * @param lines the target lines of each: all of them if there are several images
 */
record Blocks(Shifts vertical, int batch, int images, int lines) {

    /**
     * Blocks whose frames hold about that many values.
     *
     * @param channels the source channels of a frame
     * @param least how many columns a block should have at least, if the batch has them
     * @param wanted how many blocks there should be at least, if the batch has that many images
     */
    static Blocks of(Correlation c, int channels, int values, int least, int wanted) {
        Shifts v = c.vertical();
        Shifts h = c.horizontal();
        int line = channels * v.sourcePhases().length * h.sourcePhases().length * (h.lines + h.span);
        int image = line * (v.lines + v.span);
        int columns = v.lines * h.lines;
        if (image > values && columns > least) {
            int lines = Math.max(values / line - v.span, Math.max(2 * v.span + 1, ceilDiv(least, h.lines)));
            return new Blocks(v, c.batch(), 1, Math.min(v.lines, lines));
        }
        int images = Math.max(values / image, ceilDiv(least, columns));
        return new Blocks(v, c.batch(), Math.max(1, Math.min(images, c.batch() / wanted)), v.lines);
    }

    static int ceilDiv(int a, int b) {
        return (a + b - 1) / b;
    }

    private int perImage() {
        return ceilDiv(vertical.lines, lines);
    }

    int count() {
        return ceilDiv(batch, images) * perImage();
    }

    /** The first image of a block. */
    int image(int block) {
        return block / perImage() * images;
    }

    int images(int block) {
        return Math.min(images, batch - image(block));
    }

    /** The first line of a block in each of its images. */
    int line(int block) {
        return block % perImage() * lines;
    }

    int lines(int block) {
        return Math.min(lines, vertical.lines - line(block));
    }
}
