-- The predecessor made its tables by `create table temp_import_image (like image including …)` and renamed them: the sequence is nobody's,
-- UNIQUE came back as plain indexes, and the name of audioset's primary key is that of the temp table.
create sequence id_temp_import_image_seq;
alter table image alter id set default nextval('id_temp_import_image_seq');
drop sequence image_id_seq;
alter table image drop constraint image_identifier_key, drop constraint image_url_key, drop constraint unique_provider_image;
create unique index image_identifier_key on image (identifier);
create unique index image_url_key on image (url);
create unique index unique_provider_image on image (foreign_identifier, provider);
alter table audioset rename constraint api_audioset_pkey to temp_import_audioset_pkey;
alter table audioset alter id drop default;
drop sequence api_audioset_id_seq;
create sequence id_temp_import_audioset_seq;
alter table audioset alter id set default nextval('id_temp_import_audioset_seq');
select setval('id_temp_import_image_seq', 900);
