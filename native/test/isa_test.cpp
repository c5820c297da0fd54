/* HADAL_ISA=word must keep the library from choosing anything beyond that word. */
#include <stdio.h>
#include <string.h>

#include "hadal.h"

static int rank(const char* isa) {
    const char* order[] = {"baseline", "avx2", "avx512"};
    for (int i = 0; i < 3; i++)
        if (strcmp(order[i], isa) == 0) return i;
    return -1;
}

int main(int, char** argv) {
    printf("HADAL_ISA=%s chose %s\n", argv[1], hadal_isa());
    return rank(hadal_isa()) >= 0 && rank(hadal_isa()) <= rank(argv[1]) ? 0 : 1;
}
