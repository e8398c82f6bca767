/* git for Windows, as far as a set-up needs it: runs Linux' git, which knows the paths of drive Z without the drive.
 * git.exe ARGUMENT...
 * Wine starts programs of Linux without the streams of this one, so a file takes what git prints. */

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

typedef LONG(CDECL *spawn_t)(char *const words[], int wait);

static void copy(const char *name, FILE *to) {
    char buffer[4096];
    size_t length;
    FILE *from = fopen(name, "rb");
    if (from == NULL) {
        return;
    }
    while ((length = fread(buffer, 1, sizeof buffer, from)) > 0) {
        fwrite(buffer, 1, length, to);
    }
    fclose(from);
    remove(name);
}

int main(int count, char **words) {
    /* Drive Z is the root, and the directory of this program is writable. */
    static char printed[MAX_PATH], complaint[MAX_PATH + 4];
    static char *line[256] = {"sh", "-c",
                              "out=$1; shift; git \"$@\" >\"$out\" 2>\"$out.err\" </dev/null; code=$?\n"
                              "sed -i 's|file:/|file:Z:/|g' \"$out\"; exit $code",
                              "sh"};
    int last = 4;
    GetModuleFileNameA(NULL, printed, sizeof printed - 16);
    sprintf(printed + strlen(printed), ".%lu", GetCurrentProcessId());
    sprintf(complaint, "%s.err", printed);
    line[last++] = strdup(printed);
    for (int at = 1; at < count && last < 255; at++) {
        line[last++] = words[at];
    }
    for (int at = 4; at < last; at++) {
        /* With slashes, it is a value. */
        if (strncmp(line[at], "Z:\\", 3) == 0) {
            line[at] += 2;
            for (char *c = line[at]; *c != 0; c++) {
                *c = *c == '\\' ? '/' : *c;
            }
        }
    }
    setvbuf(stdout, NULL, _IOFBF, 4096);
    _setmode(_fileno(stdout), _O_BINARY);
    spawn_t spawn = (spawn_t)(void *)GetProcAddress(GetModuleHandleA("ntdll"), "__wine_unix_spawnvp");
    LONG status = spawn == NULL ? 127 : spawn(line, TRUE);
    copy(printed, stdout);
    copy(complaint, stderr);
    fflush(stdout);
    return status > 255 ? status >> 8 : status;
}
