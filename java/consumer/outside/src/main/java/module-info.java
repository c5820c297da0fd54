module example {
    requires dev.hadal.core;
}
