package dev.hadal.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AgreementTest {

    @Test
    void countsPairs() {
        boolean[] first = {true, true, true, false, false, true};
        boolean[] second = {true, false, false, true, false, true};
        Agreement agreement = Agreement.of(first, second);
        assertEquals(new Agreement(2, 2, 1, 1), agreement);
        assertEquals(1 / 6.0, agreement.loss(), 1e-15);
        assertEquals(3 / 6.0, agreement.share(), 1e-15);
    }

    /** p in exact fractions, by Python's; the first pair is the example of statsmodels' mcnemar, exact. */
    @ParameterizedTest
    @CsvSource({
        "121, 59, 4.434449263755176e-06",
        "59, 121, 4.434449263755176e-06",
        "6, 16, 0.052478790283203125",
        "0, 0, 1",
        "5, 5, 1",
        "1, 0, 1",
        "0, 10, 0.001953125",
        "300, 340, 0.12310113072196767",
        "2000, 2200, 0.0021323556719912346"
    })
    void pIsMcNemarsExact(int first, int second, double p) {
        assertEquals(p, new Agreement(1000, first, second, 0).p(), 1e-9 * p);
    }

    /** Of differences d that are 1, −1 or 0, √(Var d/n). */
    @Test
    void errorIsThatOfPairedDifferences() {
        Agreement agreement = new Agreement(60, 25, 5, 10);
        double[] d = new double[100];
        for (int i = 0; i < 30; i++) {
            d[i] = i < 25 ? 1 : -1;
        }
        double mean = 0.2, variance = 0;
        for (double v : d) {
            variance += (v - mean) * (v - mean) / d.length;
        }
        assertEquals(Math.sqrt(variance / d.length), agreement.error(), 1e-12);
    }

    @Test
    void refusesWhatIsNotPaired() {
        assertThrows(IllegalArgumentException.class, () -> Agreement.of(new boolean[2], new boolean[3]));
        assertThrows(IllegalArgumentException.class, () -> Agreement.of(new boolean[0], new boolean[0]));
    }
}
