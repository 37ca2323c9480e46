use std::{
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    routing::post,
};
use rstest::rstest;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

use super::*;

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    address
}

fn request(address: SocketAddr) -> Request {
    Request {
        url: format!("http://{address}/graphql/").parse().unwrap(),
        bearer: Some("t0ken".into()),
        body: Body::Json(b"{}".to_vec()),
    }
}

fn transport() -> HttpTransport {
    let timeouts = Timeouts {
        connect: Duration::from_secs(5),
        request: Duration::from_millis(500),
    };
    HttpTransport::new(None, "pluvo-operator/test", timeouts).unwrap()
}

async fn send(address: SocketAddr) -> Result<Reply, TransportError> {
    transport().send(request(address)).await
}

#[tokio::test]
async fn a_request_carries_what_pluvo_asks_for_and_its_answer_is_unpacked() {
    let zipped = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 73, 44, 73, 84, 178, 170, 86, 42, 52, 80, 178, 202, 43, 205, 201,
        169, 173, 5, 0, 37, 45, 205, 213, 20, 0, 0, 0,
    ];
    let handler = move |headers: HeaderMap, body: Bytes| async move {
        assert_eq!(headers[header::AUTHORIZATION], "Bearer t0ken");
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(headers[header::USER_AGENT], "pluvo-operator/test");
        assert!(headers[header::ACCEPT_ENCODING].to_str().unwrap().contains("gzip"));
        assert_eq!(&body[..], b"{}");
        ([(header::CONTENT_ENCODING, "gzip"), (header::RETRY_AFTER, "3")], zipped)
    };
    let reply = send(serve(Router::new().route("/graphql/", post(handler))).await)
        .await
        .unwrap();
    assert_eq!((reply.status, reply.retry_after), (200, Some(Duration::from_secs(3))));
    assert_eq!(reply.body, br#"{"data":{"q0":null}}"#);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    static REACHED: AtomicUsize = AtomicUsize::new(0);
    let elsewhere =
        serve(Router::new().fallback(|| async { REACHED.fetch_add(1, Ordering::SeqCst).to_string() })).await;
    for status in [301, 302, 303, 307, 308] {
        let location = HeaderValue::from_str(&format!("http://{elsewhere}/graphql/")).unwrap();
        let answer = move || async move { (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, location)]) };
        let here = serve(Router::new().route("/graphql/", post(answer))).await;
        assert_eq!(send(here).await.unwrap().status, status);
    }
    assert_eq!(REACHED.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn connections_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let peers: &'static parking_lot::Mutex<Vec<SocketAddr>> = Box::leak(Box::default());
    let handler = move |axum::extract::ConnectInfo(peer): axum::extract::ConnectInfo<SocketAddr>| async move {
        peers.lock().push(peer);
    };
    let router = Router::new()
        .fallback(handler)
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    let transport = transport();
    for _ in 0..3 {
        transport.send(request(address)).await.unwrap();
    }
    let peers = peers.lock();
    assert!(
        peers.len() == 3 && peers.iter().all(|peer| *peer == peers[0]),
        "{peers:?}"
    );
}

/// A server that reads what comes and then does what `end` says.
async fn broken<F: Future<Output = ()> + Send>(end: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            end(stream).await;
        }
    });
    address
}

#[tokio::test]
async fn failures_are_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = send(nobody).await.err().unwrap();
    assert!(
        matches!(&error, TransportError::NotSent(why) if why.contains("refused")),
        "{error:?}"
    );

    let closing = broken(|stream| async { drop(stream) }).await;
    assert!(matches!(send(closing).await, Err(TransportError::Lost(_))));

    let silent = broken(|stream| async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(stream);
    })
    .await;
    assert_eq!(send(silent).await.err(), Some(TransportError::Timeout));

    let endless = serve(Router::new().fallback(|| async { vec![b' '; MAX_ANSWER + 1] })).await;
    let transport = HttpTransport::new(None, "test", Timeouts::default()).unwrap();
    assert_eq!(
        transport.send(request(endless)).await.err(),
        Some(TransportError::TooLarge(MAX_ANSWER))
    );
}

#[tokio::test]
async fn an_address_that_is_no_host_is_told_with_its_reason() {
    let mut request = request(([127, 0, 0, 1], 1).into());
    request.url = "http://no-such-host.invalid/graphql/".parse().unwrap();
    let error = transport().send(request).await.err().unwrap();
    assert!(
        matches!(&error, TransportError::NotSent(why) if !why.contains("graphql")),
        "{error:?}"
    );
}

/// Runs in a process of its own, because the proxy comes from the environment: see the next test.
#[tokio::test]
#[ignore = "needs the environment of proxies_come_from_the_environment"]
async fn behind_a_proxy() {
    let mut through = request(([127, 0, 0, 1], 1).into());
    through.url = "http://acme.pluvo.test/graphql/".parse().unwrap();
    let reply = transport().send(through).await.unwrap();
    assert_eq!(reply.body, b"proxied http://acme.pluvo.test/graphql/");
    let direct: SocketAddr = std::env::var("DIRECT").unwrap().parse().unwrap();
    assert_eq!(transport().send(request(direct)).await.unwrap().body, b"direct");
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_come_from_the_environment() {
    let proxy = serve(Router::new().fallback(|uri: Uri| async move { format!("proxied {uri}") })).await;
    let direct = serve(Router::new().fallback(|| async { "direct" })).await;
    let child = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "pluvo::transport::tests::behind_a_proxy",
                "--ignored",
                "--nocapture",
            ])
            .env("HTTP_PROXY", format!("http://{proxy}"))
            .env("NO_PROXY", "127.0.0.1")
            .env("DIRECT", direct.to_string())
            .output()
            .unwrap()
    });
    let output = child.await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

/// Of a private authority that signed nothing.
const CERTIFICATE: &str = include_str!("tests-ca.pem");

#[rstest]
#[case("", true)]
#[case("\n  \n", true)]
#[case(CERTIFICATE, true)]
#[case("not a certificate", false)]
#[case("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", false)]
fn a_ca_bundle_is_pem(#[case] bundle: &str, #[case] good: bool) {
    let client = HttpTransport::new(Some(bundle.as_bytes()), "test", Timeouts::default());
    match client {
        Ok(_) => assert!(good),
        Err(error) => assert!(!good && error.to_string().contains("caBundle"), "{error}"),
    }
    let added = roots(Some(CERTIFICATE.repeat(2).as_bytes())).unwrap().len() - roots(None).unwrap().len();
    assert_eq!(added, 2);
}

#[rstest]
#[case("0", Some(0))]
#[case(" 120 ", Some(120))]
#[case("Mon, 23 Nov 2026 10:00:30 GMT", Some(30))]
#[case("Mon, 23 Nov 2026 09:00:00 GMT", Some(0))]
#[case("604800", Some(300))]
#[case("18446744073709551615", Some(300))]
#[case("99999999999999999999999", Some(300))]
#[case("Tue, 01 Jan 2999 00:00:00 GMT", Some(300))]
#[case("-1", None)]
#[case("soon", None)]
#[case("", None)]
fn retry_after(#[case] header: &str, #[case] seconds: Option<u64>) {
    let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    assert_eq!(parse_retry_after(header, now), seconds.map(Duration::from_secs));
}
