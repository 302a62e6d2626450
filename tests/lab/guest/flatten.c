// Makes a JSON file readable for a shell: `flatten FILE` prints a line `path=value` for each value in
// it, `flatten FILE PATH` the text of one value as it is. tcloud writes cloud-init seeds as JSON.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char path[1024];
static const char *wanted, *at;

static void wrong(void) {
    fprintf(stderr, "flatten: this is not JSON: %.20s\n", at);
    exit(1);
}

static void space(void) {
    while (isspace((unsigned char)*at)) at++;
}

static void utf8(unsigned rune, char **to) {
    if (rune < 0x80) *(*to)++ = rune;
    else if (rune < 0x800) *(*to)++ = 0xc0 | rune >> 6, *(*to)++ = 0x80 | (rune & 0x3f);
    else *(*to)++ = 0xe0 | rune >> 12, *(*to)++ = 0x80 | (rune >> 6 & 0x3f), *(*to)++ = 0x80 | (rune & 0x3f);
}

// A text, read in place of its quoted form, which is never shorter.
static char *text(void) {
    char *result = malloc(strlen(at) + 1), *to = result;
    unsigned rune;
    if (*at++ != '"') at--, wrong();
    for (; *at && *at != '"'; at++) {
        if (*at != '\\') { *to++ = *at; continue; }
        switch (*++at) {
        case 'n': *to++ = '\n'; break;
        case 't': *to++ = '\t'; break;
        case 'r': *to++ = '\r'; break;
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'u':
            if (sscanf(at + 1, "%4x", &rune) != 1) wrong();
            utf8(rune, &to);
            at += 4;
            break;
        default: *to++ = *at;
        }
    }
    if (*at++ != '"') at--, wrong();
    *to = 0;
    return result;
}

static void show(const char *value) {
    if (wanted) {
        if (!strcmp(wanted, path)) fputs(value, stdout);
        return;
    }
    printf("%s=", path);
    for (; *value; value++) putchar(*value == '\n' ? ' ' : *value);
    putchar('\n');
}

static void value(void) {
    size_t length = strlen(path);
    char word[64];
    int size = 0;
    space();
    if (*at == '{' || *at == '[') {
        char close = *at++ == '{' ? '}' : ']';
        for (int index = 0; space(), *at != close; index++) {
            if (close == '}') {
                snprintf(path + length, sizeof path - length, "%s%s", length ? "." : "", text());
                space();
                if (*at++ != ':') at--, wrong();
            } else snprintf(path + length, sizeof path - length, "%s%d", length ? "." : "", index);
            value();
            path[length] = 0;
            space();
            if (*at == ',') at++;
            else if (*at != close) wrong();
        }
        at++;
    } else if (*at == '"') show(text());
    else if (sscanf(at, "%63[-+.a-zA-Z0-9]%n", word, &size) == 1) at += size, show(word);
    else wrong();
}

int main(int count, char **arguments) {
    static char all[1 << 18];
    FILE *file = count > 1 ? fopen(arguments[1], "r") : NULL;
    if (!file) { perror(count > 1 ? arguments[1] : "flatten"); return 1; }
    all[fread(all, 1, sizeof all - 1, file)] = 0;
    wanted = count > 2 ? arguments[2] : NULL;
    // Lines before the value are comments, such as #cloud-config.
    for (at = all; space(), *at == '#';) at += strcspn(at, "\n");
    value();
    return 0;
}
