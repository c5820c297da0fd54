package dev.hadal.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.data.ByteImages;
import dev.hadal.tensor.Shape;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class FashionMnistTest {

    @Test
    void tenThousandImagesOfEachKindShip() throws IOException {
        FashionMnist images = FashionMnist.shipped();
        for (ByteImages part : new ByteImages[] {images.train(), images.test()}) {
            assertEquals(10_000, part.size());
            assertEquals(Shape.of(1, 28, 28), part.shape());
        }
        int[] tests = new int[10];
        for (int i = 0; i < 10_000; i++) {
            tests[images.test().label(i)]++;
        }
        for (int count : tests) {
            assertEquals(1000, count);
        }
        assertEquals("ankle boot", images.names().get(images.test().label(0)), "as everybody knows it");
    }
}
