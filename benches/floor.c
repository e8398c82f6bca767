/* The least that a helper on SQLite can do: open the file, select one row, answer. No check, no policy, no refresh.
   benches/run links it statically with the SQLite that the helpers have, compiled with the same options. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of sqlite3.h, which is not installed everywhere. */
typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
enum { SQLITE_OK = 0, SQLITE_ROW = 100, SQLITE_OPEN_READWRITE = 2, SQLITE_OPEN_NOMUTEX = 0x8000 };
int sqlite3_open_v2(const char *, sqlite3 **, int, const char *);
int sqlite3_prepare_v2(sqlite3 *, const char *, int, sqlite3_stmt **, const char **);
int sqlite3_step(sqlite3_stmt *);
const unsigned char *sqlite3_column_text(sqlite3_stmt *, int);
long long sqlite3_column_int64(sqlite3_stmt *, int);
int sqlite3_finalize(sqlite3_stmt *);
int sqlite3_close(sqlite3 *);

int main(int argc, char **argv) {
    char request[4096], answer[8192];
    sqlite3 *database;
    sqlite3_stmt *statement;
    const char *sql = "SELECT host, token, refresh_token, issued_at, expires_at FROM accounts WHERE is_active = 1";

    if (argc != 2 || read(0, request, sizeof request) <= 0
        || sqlite3_open_v2(argv[1], &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK
        || sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK
        || sqlite3_step(statement) != SQLITE_ROW)
        return 1;
    int length = snprintf(answer, sizeof answer, "username=oauth2\npassword=%s\npassword_expiry_utc=%lld\n\n",
                          sqlite3_column_text(statement, 1), sqlite3_column_int64(statement, 4) / 1000);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return write(1, answer, length) != length;
}
