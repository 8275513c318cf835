// centrifuge, the library under Centrifugo: everybody subscribes to one channel and may publish to it. Prints its port.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"

	"github.com/centrifugal/centrifuge"
)

func main() {
	runtime.GOMAXPROCS(1)
	config := centrifuge.DefaultConfig
	config.ClientQueueMaxSize = 256 << 20
	node, err := centrifuge.New(config)
	if err != nil {
		panic(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: "anyone"}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{}, nil)
		})
		client.OnPublish(func(_ centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			done(centrifuge.PublishReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	anyOrigin := func(*http.Request) bool { return true }
	handler := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{CheckOrigin: anyOrigin})
	panic(http.Serve(listener, handler))
}
