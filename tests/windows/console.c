/* Runs a program with its console, passes Ctrl-C over, and says afterwards what the console is like:
 * console.exe PROGRAM ARGUMENT...
 * Prints `echo on` or `echo off`, and the exit code. */

#include <stdio.h>
#include <string.h>
#include <windows.h>

static BOOL WINAPI pass_over(DWORD event) {
    return event == CTRL_C_EVENT;
}

int main(int count, char **words) {
    char line[4096] = "";
    for (int at = 1; at < count; at++) {
        strcat(strcat(strcat(line, "\""), words[at]), "\" ");
    }
    SetConsoleCtrlHandler(pass_over, TRUE);
    STARTUPINFOA how = {.cb = sizeof how};
    PROCESS_INFORMATION child;
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &how, &child)) {
        printf("cannot start %s\n", line);
        return 1;
    }
    WaitForSingleObject(child.hProcess, INFINITE);
    DWORD code = 0, mode = 0;
    GetExitCodeProcess(child.hProcess, &code);
    HANDLE input = CreateFileA("CONIN$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                               OPEN_EXISTING, 0, NULL);
    GetConsoleMode(input, &mode);
    printf("echo %s, exit code %lu.\n", mode & ENABLE_ECHO_INPUT ? "on" : "off", code);
    return 0;
}
