package dev.hadal.train;

import java.util.Locale;

/**
 * What one pass over the training data came to.
 *
 * @param number from 1 on
 * @param of how many there will be
 * @param loss the mean over the epoch's samples, each as it was before its update
 * @param accuracy the share of training samples, as augmented, whose largest output was the right one
 * @param validationAccuracy the same of the validation data after the epoch; NaN if there is none
 * @param rate the learning rate of the last step
 * @param gradientNorm the mean over the steps, before clipping
 * @param samplesPerSecond of training alone
 */
public record Epoch(
        int number,
        int of,
        double loss,
        double accuracy,
        double validationAccuracy,
        double rate,
        double gradientNorm,
        double samplesPerSecond) {

    Epoch withValidation(double measured) {
        return new Epoch(number, of, loss, accuracy, measured, rate, gradientNorm, samplesPerSecond);
    }

    @Override
    public String toString() {
        String validation = Double.isNaN(validationAccuracy)
                ? ""
                : String.format(Locale.ROOT, "validation %.2f %%   ", 100 * validationAccuracy);
        return String.format(
                Locale.ROOT,
                "epoch %d/%d   loss %.4f   accuracy %.2f %%   %srate %.2e   gradient norm %.3f   %.0f samples/s",
                number,
                of,
                loss,
                100 * accuracy,
                validation,
                rate,
                gradientNorm,
                samplesPerSecond);
    }
}
