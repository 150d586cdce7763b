/* One variable of every kind that a debugger has to print. */
#include <complex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum colour { RED, GREEN = 5, BLUE };
enum { FLAG_A = 1, FLAG_B = 2, FLAG_C = 4 };

struct point { int x, y; };
struct bits { unsigned low : 3; signed mid : 5; unsigned high : 24; };
struct node {
    const char *name;
    double weight;
    struct point where;
    struct node *next;
    enum colour colour;
    bool on;
    char tag[8];
};
union word { uint32_t whole; unsigned char byte[4]; float real; };
typedef struct { struct point corner[2]; union { int i; long l; }; } box_t;

struct pair { long a, b; };
struct mixed { double d; long l; };
struct big { long a[4]; };

int global_int = 42;
static double global_double = 2.5;
const char *greeting = "hello, \"world\"\n\t\x01" "end";
struct node global_node = { "first", 1.25, { 3, -4 }, 0, GREEN, true, "tag" };
int table[300] = { 1, 2, 3 };
__thread int per_thread = 77;

int twice(int x) { return 2 * x; }
void nothing(void) { global_int++; }
char ret_char(void) { return 'q'; }
unsigned char ret_uchar(void) { return 200; }
short ret_short(void) { return -3; }
long ret_long(void) { return -1234567890123L; }
double ret_double(void) { return 0.1; }
float ret_float(void) { return 0.5f; }
long double ret_long_double(void) { return 2.75L; }
bool ret_bool(void) { return true; }
enum colour ret_enum(void) { return BLUE; }
const char *ret_string(void) { return "returned"; }
struct point ret_point(void) { return (struct point){ 7, 8 }; }
struct pair ret_pair(void) { return (struct pair){ 1, -2 }; }
struct mixed ret_mixed(void) { return (struct mixed){ 1.5, 9 }; }
struct big ret_big(void) { return (struct big){ { 1, 2, 3, 4 } }; }

int look(struct node *node, box_t box, int count, double ratio)
{
    char letter = 'A';
    signed char small = -1;
    unsigned char byte = 200;
    short shorty = -300;
    unsigned long wide = 0xffffffffffffffffUL;
    float real = 0.1f;
    long double precise = 1.5L;
    bool yes = true;
    enum colour colour = BLUE;
    struct bits bits = { 5, -3, 0xabcdef };
    union word word = { .whole = 0x40490fdb };
    int grid[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
    int many[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
    const char *nowhere = (const char *)8;
    const char *null = 0;
    void *blank = node;
    int (*function)(int) = twice;
    char text[12] = "abc";
    struct node *list = node;
    int outer = 1;
    {
        int outer = 2;
        int inner = 3;
        count += outer + inner;         /* stop here */
    }
    return count + letter + small + byte + shorty + (int)wide + (int)real + (int)precise + yes + colour + (int)bits.low
        + (int)word.whole + grid[1][1] + many[0] + (nowhere != null) + (blank != 0) + function(2) + text[0] + list->where.x
        + outer + (int)ratio + box.corner[0].x;
}

int main(void)
{
    struct node second = { "second", -2.5, { 1, 2 }, &global_node, RED, false, "seventh" };
    box_t box = { { { 1, 2 }, { 3, 4 } }, { 5 } };
    int sum = look(&second, box, 10, 3.25);
    nothing();
    sum += ret_char() + ret_uchar() + ret_short() + (int)ret_long() + (int)ret_double() + (int)ret_float();
    sum += (int)ret_long_double() + ret_bool() + ret_enum() + *ret_string();
    struct point point = ret_point();
    struct pair pair = ret_pair();
    struct mixed mixed = ret_mixed();
    struct big big = ret_big();
    printf("%d %d %ld %g %ld %g %d\n", sum, point.x, pair.a, mixed.d, big.a[3], global_double, per_thread + FLAG_C);
    return 0;
}
