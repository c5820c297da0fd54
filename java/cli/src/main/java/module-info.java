/** The {@code hadal} command. */
module dev.hadal.cli {
    requires dev.hadal.core;
    requires dev.hadal.onednn;
    requires info.picocli;
    requires me.tongfei.progressbar;
    requires static org.jspecify;

    opens dev.hadal.cli to
            info.picocli;
}
