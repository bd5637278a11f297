drop index image_url_key;
