/* Runs a program in the terminal of Git Bash, as far as programs recognize it: its standard input is a pipe with the name
 * of a pseudoterminal of MSYS2, on which nothing is typed.
 * mintty.exe PROGRAM ARGUMENT... */

#include <stdio.h>
#include <string.h>
#include <windows.h>

int main(int count, char **words) {
    const char *name = "\\\\.\\pipe\\msys-dd50a72ab4668b33-pty0-from-master";
    char line[4096] = "";
    for (int at = 1; at < count; at++) {
        strcat(strcat(strcat(line, "\""), words[at]), "\" ");
    }
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    HANDLE terminal = CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, NULL);
    HANDLE input = CreateFileA(name, GENERIC_READ, 0, &inherited, OPEN_EXISTING, 0, NULL);
    STARTUPINFOA how = {.cb = sizeof how, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = input};
    how.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    how.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    PROCESS_INFORMATION child;
    if (terminal == INVALID_HANDLE_VALUE || input == INVALID_HANDLE_VALUE ||
        !CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &how, &child)) {
        printf("cannot start %s\n", line);
        return 1;
    }
    DWORD code = 0;
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &code);
    return (int)code;
}
