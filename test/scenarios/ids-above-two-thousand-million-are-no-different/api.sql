alter table image alter id type bigint;
alter sequence image_id_seq as bigint;
alter table imagelist_images alter image_id type bigint;
select setval('image_id_seq', 5000000000);
