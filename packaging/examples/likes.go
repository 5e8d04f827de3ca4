// likesd from Go, with go-redis: go run likes.go [SOCKET]
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const attemptsMax = 5

// ErrRateLimited says that the user has made too many changes.
var ErrRateLimited = errors.New("rate limited")

// Likes is the likes daemon of this host. It may be shared between goroutines.
type Likes struct {
	client *redis.Client
}

// Open makes a pool of connections to the socket at path.
func Open(path string) *Likes {
	return &Likes{redis.NewClient(&redis.Options{
		Network: "unix",
		Addr:    path,
		// likesd answers within 5 s. A slightly longer timeout gets that answer.
		ReadTimeout: 7 * time.Second,
		// The code below repeats requests instead: it knows which errors are temporary.
		MaxRetries: -1,
	})}
}

// Like returns whether the like is new, and the item's count.
func (l *Likes) Like(ctx context.Context, user int64, item string) (bool, int64, error) {
	return l.change(ctx, "LIKE", user, item)
}

// Unlike returns whether there was a like to remove, and the item's count.
func (l *Likes) Unlike(ctx context.Context, user int64, item string) (bool, int64, error) {
	return l.change(ctx, "UNLIKE", user, item)
}

// Count returns how many users like the item.
func (l *Likes) Count(ctx context.Context, item string) (int64, error) {
	command, err := l.call(ctx, "COUNT", item)
	if err != nil {
		return 0, err
	}
	return command.Int64()
}

// Counts returns the counts of up to 1,000 items, in their order.
func (l *Likes) Counts(ctx context.Context, items ...string) ([]int64, error) {
	request := []any{"MCOUNT"}
	for _, item := range items {
		request = append(request, item)
	}
	command, err := l.call(ctx, request...)
	if err != nil {
		return nil, err
	}
	return command.Int64Slice()
}

func (l *Likes) change(ctx context.Context, verb string, user int64, item string) (bool, int64, error) {
	command, err := l.call(ctx, verb, user, item)
	if err != nil {
		return false, 0, err
	}
	reply, err := command.Int64Slice()
	if err != nil || len(reply) != 2 {
		return false, 0, fmt.Errorf("not the reply to %s: %v", verb, command.Val())
	}
	return reply[0] == 1, reply[1], nil
}

// call repeats a request after a temporary error. A LIKE whose outcome is unknown may be repeated: only one of equal
// requests changes something.
func (l *Likes) call(ctx context.Context, request ...any) (*redis.Cmd, error) {
	for attempt := 1; ; attempt++ {
		command := l.client.Do(ctx, request...)
		err := command.Err()
		if err == nil {
			return command, nil
		}
		code, _, _ := strings.Cut(err.Error(), " ")
		var said redis.Error
		isFinal := errors.As(err, &said) && code != "BUSY" && code != "UNAVAILABLE" && code != "UNCERTAIN"
		switch {
		case code == "RATELIMITED":
			return nil, fmt.Errorf("%w: %s", ErrRateLimited, err)
		case isFinal, attempt == attemptsMax:
			return nil, err
		}
		pause := time.Duration(50<<attempt) * time.Millisecond
		select {
		case <-time.After(pause/2 + time.Duration(rand.Int63n(int64(pause/2)))):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func run(path string) error {
	likes, ctx := Open(path), context.Background()
	defer likes.client.Close()
	const user, item = 123, "post:456"
	for _, say := range []string{"like:", "again:"} {
		changed, count, err := likes.Like(ctx, user, item)
		if err != nil {
			return err
		}
		fmt.Println(say, changed, count)
	}
	counts, err := likes.Counts(ctx, item, "reel:7")
	if err != nil {
		return err
	}
	fmt.Println("counts:", counts)
	changed, count, err := likes.Unlike(ctx, user, item)
	if err != nil {
		return err
	}
	fmt.Println("unlike:", changed, count)
	return nil
}

func main() {
	path := "/run/likesd/likesd.sock"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	if err := run(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
