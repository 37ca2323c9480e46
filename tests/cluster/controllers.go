package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
)

const (
	workers     = 10
	resync      = 12 * time.Hour
	rediscovery = 5 * time.Second // a definition that is new or gone is noticed
)

// runControllers runs those of Kubernetes' controllers that this cluster needs. kube-controller-manager has them all, and
// most of what it is compiled from is of no use without nodes.
func runControllers(args []string) error {
	flags := flag.NewFlagSet(controllersName, flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "of the cluster's administrator")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000 // a namespace with thousands of objects goes at once
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	shared := informers.NewSharedInformerFactory(client, resync)
	started := make(chan struct{})
	run := []func(){}
	add := func(controller func(), err error) error {
		run = append(run, controller)
		return err
	}
	err = errors.Join(
		add(namespaces(ctx, client, objects, shared)),
		add(serviceAccounts(ctx, client, shared)),
		add(deployments(ctx, client, shared)),
		add(replicaSets(ctx, client, shared)),
		add(garbage(ctx, client, objects, shared, started)),
	)
	if err != nil {
		return err
	}
	shared.Start(ctx.Done())
	close(started)
	for _, controller := range run {
		go controller()
	}
	<-ctx.Done()
	return nil
}

func namespaces(ctx context.Context, client kubernetes.Interface, objects metadata.Interface, shared informers.SharedInformerFactory) (func(), error) {
	controller := namespace.NewNamespaceController(ctx, client, objects, client.Discovery().ServerPreferredNamespacedResources,
		shared.Core().V1().Namespaces(), 5*time.Minute, core.FinalizerKubernetes)
	return func() { controller.Run(ctx, workers) }, nil
}

func serviceAccounts(ctx context.Context, client kubernetes.Interface, shared informers.SharedInformerFactory) (func(), error) {
	controller, err := serviceaccount.NewServiceAccountsController(klog.FromContext(ctx), shared.Core().V1().ServiceAccounts(),
		shared.Core().V1().Namespaces(), client, serviceaccount.DefaultServiceAccountsControllerOptions())
	return func() { controller.Run(ctx, 1) }, err
}

func deployments(ctx context.Context, client kubernetes.Interface, shared informers.SharedInformerFactory) (func(), error) {
	controller, err := deployment.NewDeploymentController(ctx, shared.Apps().V1().Deployments(), shared.Apps().V1().ReplicaSets(),
		shared.Core().V1().Pods(), client)
	return func() { controller.Run(ctx, workers) }, err
}

func replicaSets(ctx context.Context, client kubernetes.Interface, shared informers.SharedInformerFactory) (func(), error) {
	controller := replicaset.NewReplicaSetController(ctx, shared.Apps().V1().ReplicaSets(), shared.Core().V1().Pods(), client, replicaset.BurstReplicas)
	return func() { controller.Run(ctx, workers) }, nil
}

func garbage(ctx context.Context, client kubernetes.Interface, objects metadata.Interface, shared informers.SharedInformerFactory, started <-chan struct{}) (func(), error) {
	discovery := memory.NewMemCacheClient(client.Discovery())
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(discovery)
	factory := informerfactory.NewInformerFactory(shared, metadatainformer.NewSharedInformerFactory(objects, resync))
	graph := garbagecollector.NewDependencyGraphBuilder(ctx, objects, mapper, garbagecollector.DefaultIgnoredResources(), factory, started)
	controller, err := garbagecollector.NewComposedGarbageCollector(ctx, client, objects, mapper, graph)
	return func() {
		go controller.Sync(ctx, client.Discovery(), rediscovery)
		controller.Run(ctx, workers, 30*time.Second)
	}, err
}
