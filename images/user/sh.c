// sh: the shell. It reads lines of this grammar and runs them:
//
//   list    = { job (";" | "&") } [job]           one after the other; with "&" without waiting
//   job     = stage { "|" stage }                 each one's output is the next one's input
//   stage   = "(" list ")" redirects | { word | redirect }
//   redirect = ("<" | ">" | ">>") word
//
// `cd DIRECTORY` and `exit` are done by the shell itself.
#include "lib/user.h"

#define LINE_LENGTH 256
#define WORDS 16     // of one command
#define REDIRECTS 4  // of one stage
#define NODES 32     // of one line

struct redirect {
  char kind; // '<', '>', or '+' for >>
  char *path;
};

struct node {
  enum { COMMAND, GROUP, PIPE, SEQUENCE, BACKGROUND } kind;
  char *words[WORDS + 1];               // COMMAND; a 0 ends them
  struct redirect redirects[REDIRECTS]; // COMMAND and GROUP; a kind of 0 ends them
  struct node *left;                    // all but COMMAND
  struct node *right;                   // PIPE and SEQUENCE; may be 0 in the latter
};

// The line being parsed. A word is copied to `words` with a zero after it.
static const char *next;
static char words[2 * LINE_LENGTH];
static char *word_end;
static struct node nodes[NODES];
static int nodes_used;
static const char *mistake; // the first one found, or 0

static struct node *new_node(int kind, struct node *left, struct node *right) {
  if (nodes_used == NODES) {
    mistake = "the line is too complicated";
    nodes_used = 0;
  }
  struct node *node = &nodes[nodes_used++];
  memset(node, 0, sizeof(*node));
  node->kind = kind;
  node->left = left;
  node->right = right;
  return node;
}

// The character that begins the next token; 0 at the end.
static char peek(void) {
  while (*next == ' ' || *next == '\t' || *next == '\r' || *next == '\n')
    next++;
  return *next;
}

static bool take(char token) {
  bool found = peek() == token;
  if (found)
    next++;
  return found;
}

static bool at_word(void) { return peek() && !strchr("<>|;&()", *next); }

static char *take_word(void) {
  if (!at_word()) {
    mistake = "a word is missing";
    return "";
  }
  char *word = word_end;
  while (*next && !strchr("<>|;&() \t\r\n", *next))
    *word_end++ = *next++;
  *word_end++ = 0;
  return word;
}

static void parse_redirects(struct node *node) {
  int count = 0;
  while (count < REDIRECTS && node->redirects[count].kind)
    count++;
  while (peek() == '<' || peek() == '>') {
    struct redirect redirect = {.kind = *next++};
    if (redirect.kind == '>' && *next == '>') {
      redirect.kind = '+';
      next++;
    }
    redirect.path = take_word();
    if (count == REDIRECTS)
      mistake = "too many redirections";
    else
      node->redirects[count++] = redirect;
  }
}

static struct node *parse_list(void);

static struct node *parse_stage(void) {
  if (take('(')) {
    struct node *group = new_node(GROUP, parse_list(), 0);
    if (!take(')'))
      mistake = "a ) is missing";
    parse_redirects(group);
    return group;
  }
  struct node *command = new_node(COMMAND, 0, 0);
  int count = 0;
  parse_redirects(command);
  while (at_word()) {
    char *word = take_word();
    if (count == WORDS)
      mistake = "too many words";
    else
      command->words[count++] = word;
    parse_redirects(command);
  }
  if (count == 0)
    mistake = "a command is missing";
  return command;
}

static struct node *parse_job(void) {
  struct node *stage = parse_stage();
  return take('|') ? new_node(PIPE, stage, parse_job()) : stage;
}

static struct node *parse_list(void) {
  struct node *job = parse_job();
  bool background = take('&');
  if (background)
    job = new_node(BACKGROUND, job, 0);
  else if (!take(';'))
    return job;
  bool more = peek() && *next != ')' && !mistake;
  return more ? new_node(SEQUENCE, job, parse_list()) : job;
}

// The tree of a line; 0 for an empty line, or one with a mistake, which is reported.
static struct node *parse(const char *line) {
  next = line;
  word_end = words;
  nodes_used = 0;
  mistake = 0;
  if (!peek())
    return 0;
  struct node *list = parse_list();
  if (peek() && !mistake)
    mistake = "there is something after the end";
  if (mistake)
    fprintf(2, "sh: %s\n", mistake);
  return mistake ? 0 : list;
}

static int start_process(void) {
  int pid = fork();
  if (pid < 0)
    fprintf(2, "sh: there is no room for another process\n");
  return pid;
}

// Waits for one child. Background processes that end meanwhile are taken in, too.
static void wait_for(int pid) {
  int ended;
  while (pid > 0 && (ended = wait(0)) >= 0 && ended != pid)
    ;
}

// Makes `descriptor` stand for what `from` does, and closes `from`.
static void move_descriptor(int from, int descriptor) {
  if (from == descriptor)
    return;
  close(descriptor);
  dup(from);
  close(from);
}

static int flags_of(char kind) {
  if (kind == '<')
    return O_RDONLY;
  return kind == '>' ? O_WRONLY | O_CREATE | O_TRUNC : O_RDWR | O_CREATE;
}

static void redirect(const struct redirect *redirect) {
  char scratch[128];
  int descriptor = open(redirect->path, flags_of(redirect->kind));
  struct stat stat;
  if (descriptor < 0 || fstat(descriptor, &stat) < 0)
    fail("sh: cannot open %s\n", redirect->path);
  // There is no call to move a file's offset: to append, read to the end.
  while (redirect->kind == '+' && stat.type == T_FILE && read(descriptor, scratch, sizeof(scratch)) > 0)
    ;
  move_descriptor(descriptor, redirect->kind == '<' ? 0 : 1);
}

static void redirect_all(const struct node *node) {
  for (int i = 0; i < REDIRECTS && node->redirects[i].kind; i++)
    redirect(&node->redirects[i]);
}

static void execute(struct node *node);

static void change_directory(const char *path) {
  if (path == 0 || chdir(path) < 0)
    fprintf(2, "sh: cannot change to %s\n", path ? path : "nowhere");
}

// Becomes the command. Programs are looked for in the working directory, and then in the root.
static void become(struct node *command) {
  char path[LINE_LENGTH + 1] = "/";
  exec(command->words[0], command->words);
  strcpy(path + 1, command->words[0]);
  exec(path, command->words);
  fail("sh: there is no %s\n", command->words[0]);
}

static void execute_command(struct node *command) {
  if (strcmp(command->words[0], "cd") == 0) {
    change_directory(command->words[1]);
  } else if (strcmp(command->words[0], "exit") == 0) {
    exit(0);
  } else {
    int pid = start_process();
    if (pid == 0) {
      redirect_all(command);
      become(command);
    }
    wait_for(pid);
  }
}

// Starts a process that executes a node with one end of a pipe as its standard input or output.
static int start_with_pipe(struct node *node, int ends[2], int descriptor) {
  int pid = start_process();
  if (pid == 0) {
    close(ends[descriptor == 0 ? 1 : 0]);
    move_descriptor(ends[descriptor], descriptor);
    execute(node);
    exit(0);
  }
  return pid;
}

static void execute_pipe(struct node *node) {
  int ends[2];
  if (pipe(ends) < 0) {
    fprintf(2, "sh: there is no room for a pipe\n");
    return;
  }
  int left = start_with_pipe(node->left, ends, 1);
  int right = start_with_pipe(node->right, ends, 0);
  close(ends[0]);
  close(ends[1]);
  // wait_for(left) may take in the right one, so count instead.
  for (int remaining = (left > 0) + (right > 0); remaining > 0;) {
    int ended = wait(0);
    remaining -= ended < 0 ? remaining : ended == left || ended == right;
  }
}

static void execute(struct node *node) {
  int pid;
  switch (node->kind) {
  case COMMAND:
    execute_command(node);
    break;
  case GROUP:
    if ((pid = start_process()) == 0) {
      redirect_all(node);
      execute(node->left);
      exit(0);
    }
    wait_for(pid);
    break;
  case PIPE:
    execute_pipe(node);
    break;
  case SEQUENCE:
    execute(node->left);
    execute(node->right);
    break;
  case BACKGROUND:
    if (start_process() == 0) {
      execute(node->left);
      exit(0);
    }
    break;
  }
}

// Reads a line, byte by byte: what follows it is for the programs that it runs. Returns false at the end of input.
static bool read_line(char *line) {
  int length = 0;
  char character;
  while (read(0, &character, 1) == 1) {
    if (length < LINE_LENGTH - 1)
      line[length++] = character;
    if (character == '\n')
      break;
  }
  line[length] = 0;
  return length > 0;
}

int main(void) {
  static char line[LINE_LENGTH];
  struct stat input;
  bool interactive = fstat(0, &input) == 0 && input.type == T_DEVICE;
  for (;;) {
    if (interactive)
      fprintf(2, "$ ");
    if (!read_line(line))
      return 0;
    struct node *list = parse(line);
    if (list)
      execute(list);
  }
}
